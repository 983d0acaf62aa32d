// Keyrings: docs/FORMAT.md, section 7. The rules are in its order and have its numbers.

import * as f from "./format.mjs";

const CONTEXT = "intake keyring 1\n";
const ATTESTATION = "intake attestation 1\n";
const LARGEST = 1 << 20;
const MOST_ACTIVE = 5;

const period = {
  attestations: f.map(f.name, f.hex(64)),
  first: f.day,
  last: f.day,
  name: f.name,
  recipient: f.recipient,
};
const reviewer = {
  body: f.text,
  key: f.hex(32),
  name: f.name,
  quarters: f.map(f.quarter, f.recipient),
  quorum: f.recipient,
  removed: f.nullable(f.map(f.chain_name, f.tuple(f.integer(0), f.hex(32)))),
};
const keyring = f.record({
  archive: f.recipient,
  bundle_key: f.hex(32),
  demo: f.flag,
  deployment: f.hex(32),
  expires: f.day,
  format: f.one_of("intake keyring 1"),
  issued: f.day,
  leaving: f.map(f.name, f.hex(32)),
  periods: f.list(f.record(period)),
  previous: f.hex(32),
  quorum: f.integer(0),
  reviewers: f.list(f.record(reviewer)),
  roots: f.map(f.name, f.hex(32)),
  threshold: f.integer(0),
  version: f.integer(1),
});

// One file by itself, rules 1 to 5. What comes back are the fields of line 1, the `fingerprint`
// and the `signers`.
export function verify(bytes) {
  f.check(bytes.length <= LARGEST, "7.1", "a keyring over 1 MiB");
  const [line, lines] = f.line(bytes, 0, "7.1");
  const raw = f.read(line, "7.1");
  const k = keyring(raw, "7.1");
  k.fingerprint = f.sha256(line);
  f.check(f.differ(k.reviewers.map((r) => r.name)), "7.1", "reviewers whose names do not differ");
  f.check(![...k.roots.keys()].some((n) => k.leaving.has(n)), "7.1", "a root that is leaving too");
  f.check(k.issued <= k.expires, "7.1", "a keyring that expires before it is issued");
  f.check((k.previous === f.ZEROS) === (k.version === 1), "7.1", "a wrong previous");

  k.signers = signers(k, line, bytes.subarray(lines));
  const roots = k.signers.filter((name) => k.roots.has(name));
  f.check(k.threshold >= 2 && roots.length >= k.threshold, "7.2", "too few roots signed");

  k.periods.forEach((p, i) => {
    const after = i === 0 || k.periods[i - 1].last < p.first; // days compare as text
    f.check(p.first <= p.last && after, "7.3", "periods out of order");
    attested(k, p, raw.periods[i]);
  });
  f.check(f.differ(k.periods.map((p) => p.name)), "7.3", "periods of one name");

  const active = k.reviewers.filter((r) => r.removed === null).length;
  f.check(active <= MOST_ACTIVE, "7.4", "too many reviewers");
  f.check(k.quorum >= 2 && k.quorum <= active, "7.4", "a quorum out of range");

  const keys = [k.bundle_key, ...k.roots.values(), ...k.leaving.values()];
  f.check(f.differ([...keys, ...k.reviewers.map((r) => r.key)]), "7.5", "a key of two owners");
  const recipients = [k.archive, ...k.periods.map((p) => p.recipient)];
  const theirs = k.reviewers.flatMap((r) => [r.quorum, ...r.quarters.values()]);
  f.check(f.differ([...recipients, ...theirs]), "7.5", "a recipient of two owners");
  return k;
}

function signers(k, line, bytes) {
  const names = [];
  for (let at = 0; at < bytes.length; ) {
    const [one, next] = f.line(bytes, at, "7.2");
    const [name, signature] = f.signature_line(one, "7.2");
    const key = k.roots.get(name) ?? k.leaving.get(name);
    const right = key !== undefined && f.signed(key, signature, CONTEXT, line);
    f.check(right, "7.2", "a signature that does not verify");
    names.push(name);
    at = next;
  }
  f.check(f.differ(names), "7.2", "a root that signs twice");
  return names.sort();
}

function attested(k, period, { attestations: _, ...rest }) {
  for (const [name, signature] of period.attestations) {
    const owner = k.reviewers.find((r) => r.name === name);
    const right = owner && f.signed(owner.key, signature, ATTESTATION, f.write(rest));
    f.check(right, "7.3", "an attestation that does not verify");
  }
  f.check(period.attestations.size >= k.quorum, "7.3", "too few attestations");
}

// From one verified keyring to the next, rules 6 to 9.
export function follow(old, next) {
  const same = next.deployment === old.deployment && next.demo === old.demo;
  f.check(same, "7.6", "another deployment, or a demo's");
  f.check(next.version === old.version + 1, "7.6", "not the next version");
  f.check(next.previous === old.fingerprint, "7.6", "a keyring that follows another");
  for (const [name, key] of old.roots) {
    const there = next.roots.get(name) ?? next.leaving.get(name);
    f.check(there === key, "7.7", "an old root that is missing, or has another key");
  }
  const trusted = next.signers.filter((name) => old.roots.has(name));
  f.check(trusted.length >= old.threshold, "7.7", "too few old roots signed");
  for (const before of old.reviewers) {
    const after = next.reviewers.find((r) => r.name === before.name);
    f.check(after !== undefined, "7.8", "a reviewer who is missing");
    if (before.removed === null) continue;
    const kept = after.key === before.key && same_ends(before.removed, after.removed);
    f.check(kept, "7.8", "a removed reviewer who is back, or ends elsewhere");
  }
  for (const p of next.periods) {
    const before = old.periods.find((q) => q.name === p.name);
    if (before) {
      const same = ["first", "last", "recipient"].every((field) => p[field] === before[field]);
      f.check(same, "7.9", "another period under an old name");
    } else {
      const names = [...p.attestations.keys()];
      const active = names.filter((n) => next.reviewers.find((r) => r.name === n).removed === null);
      f.check(active.length >= next.quorum, "7.9", "too few attestations by who is active");
    }
  }
  return next;
}

function same_ends(before, after) {
  const text = (ends) => JSON.stringify([...(ends ?? [])].sort());
  return after !== null && text(before) === text(after);
}

// All keyrings from the first to the last, each verified, each following the one before.
export function chain(files) {
  const all = files.map(verify);
  for (let i = 1; i < all.length; i++) follow(all[i - 1], all[i]);
  return all;
}
