// Bundles and returns: docs/FORMAT.md, sections 10 and 11.
//
// `bytes` is the whole file (of which Node reads less than 2 GiB at once). If the head is not to be
// believed the file is refused; what is wrong with single envelopes behind a good head is said and
// refuses nothing.

import * as f from "./format.mjs";

const LARGEST = 3_221_225_471;
const LINE_1 = 4096;
const LINES = 100_000;
const PIECE = 1 << 20;

const common = {
  deployment: f.hex(32),
  keyring: f.keyring_named,
  list: f.hex(32),
  number: f.integer(1),
};
const bundle_head = f.record({
  ...common,
  count: f.integer(0, LINES),
  format: f.one_of("intake bundle 1"),
  left: f.integer(0),
  period: f.name,
  previous: f.hex(32),
  size: f.integer(1, PIECE),
});
const return_head = f.record({
  ...common,
  acknowledged: f.integer(0, LINES),
  format: f.one_of("intake return 1"),
  replies: f.integer(0, LINES),
  size: f.integer(0, PIECE),
});

// How many pieces fit into a file, beside the longest lists there can be.
const fits = (size) => Math.floor((LARGEST - LINES * 98) / (size + 131));

function first_line(bytes, shape, rule) {
  f.check(bytes.length <= LARGEST, rule, "a file of 3 GiB or more");
  const [line, next] = f.line(bytes, 0, rule);
  f.check(next <= LINE_1, rule, "a first line over 4096 bytes");
  return [shape(f.read(line, rule), rule), line, next];
}

// `count` lines from `start`, each `widths` of hex digits; their ids, all columns but the last,
// rise strictly.
function listed(bytes, start, count, widths, rule) {
  const wide = widths.reduce((sum, width) => sum + width + 1, 0);
  const end = start + count * wide;
  f.check(end <= bytes.length, rule, "a list that is cut off");
  const pattern = new RegExp(`^${widths.map((w) => `[0-9a-f]{${w}}`).join(" ")}\n$`);
  const rows = [];
  for (let at = start; at < end; at += wide) {
    const line = bytes.toString("latin1", at, at + wide);
    f.check(pattern.test(line), rule, "a line of the list that is none");
    rows.push(line.slice(0, -1));
  }
  f.check(f.rising(rows.map((row) => row.slice(0, -65))), rule, "a list that does not rise");
  return [rows.map((row) => row.split(" ")), end];
}

// What became of each line of the list, by hash and wherever its piece stands. A piece that no line
// names is the altered one of the line in whose place it stands, if nothing else was found for that
// line. A last piece that is cut off is no piece: the line in whose place it stands stays missing.
// All other bytes are stray.
function pieces(bytes, hashes, size) {
  const lines = new Map(hashes.map((hash) => [hash, []])); // the lines that wait for a piece
  hashes.forEach((hash, i) => lines.get(hash).push(i)); // two lines may name one hash
  const verdicts = hashes.map(() => "missing");
  const foreign = [];
  let doubled = 0;
  const there = size === 0 ? 0 : Math.floor(bytes.length / size);
  const whole = Math.min(there, 2 * hashes.length); // nobody looks at what comes after
  for (let slot = 0; slot < whole; slot++) {
    const waiting = lines.get(f.sha256(bytes.subarray(slot * size, (slot + 1) * size)));
    if (waiting === undefined) foreign.push(slot);
    else if (waiting.length === 0) doubled += 1;
    else verdicts[waiting.shift()] = "ok";
  }
  const altered = foreign.filter((slot) => verdicts[slot] === "missing");
  for (const slot of altered) verdicts[slot] = "altered";
  const cut = verdicts[whole] === "missing" ? 0 : bytes.length - whole * size;
  return { verdicts, doubled, stray: (foreign.length - altered.length) * size + cut };
}

// `trusted` is {bundle_key, deployment}, as a verified keyring has them. If it has a fingerprint
// too, it must be the one that the bundle names.
export function bundle(bytes, trusted) {
  const [head, line, second] = first_line(bytes, bundle_head, "10");
  const [signature, list] = f.line(bytes, second, "10");
  const right = f.hex(64)(signature.toString("latin1"), "10");
  f.check(head.deployment === trusted.deployment, "10", "another deployment");
  const named = trusted.fingerprint ?? head.keyring.sha256;
  f.check(head.keyring.sha256 === named, "10", "made under another keyring");
  const by_server = f.signed(trusted.bundle_key, right, "intake bundle 1\n", line);
  f.check(by_server, "10", "a signature that does not verify");
  const [rows, body] = listed(bytes, list, head.count, [32, 64], "10");
  f.check(f.sha256(bytes.subarray(list, body)) === head.list, "10", "another list");
  f.check(head.count <= fits(head.size), "10", "more envelopes than fit");
  f.check((head.number === 1) === (head.previous === f.ZEROS), "10", "a wrong previous");
  return { ...head, rows, ...pieces(bytes.subarray(body), rows.map((row) => row[1]), head.size) };
}

// `keyring` is the verified one in force at the server.
export function acknowledgement(bytes, keyring) {
  const [head, line, second] = first_line(bytes, return_head, "11");
  f.check(head.deployment === keyring.deployment, "11", "another deployment");
  f.check(head.keyring.version <= keyring.version, "11", "made under a later keyring");
  const signers = [];
  let at = second;
  for (;;) {
    const [one, next] = f.line(bytes, at, "11");
    at = next;
    if (one.length === 0) break;
    const [name, signature] = f.signature_line(one, "11");
    const owner = keyring.reviewers.find((r) => r.name === name && r.removed === null);
    const right = owner && f.signed(owner.key, signature, "intake return 1\n", line);
    f.check(right, "11", "a signature that does not verify");
    signers.push(name);
    f.check(signers.length <= 5, "11", "too many signatures");
  }
  f.check(signers.length >= 2 && f.differ(signers), "11", "not two different reviewers");
  f.check((head.replies === 0) === (head.size === 0), "11", "a wrong size of replies");
  f.check(head.replies <= fits(head.size), "11", "more replies than fit");
  const [acknowledged, middle] = listed(bytes, at, head.acknowledged, [32, 64], "11");
  const [replies, body] = listed(bytes, middle, head.replies, [32, 32, 64], "11");
  f.check(f.sha256(bytes.subarray(at, body)) === head.list, "11", "another list");
  const judged = pieces(bytes.subarray(body), replies.map((row) => row[2]), head.size);
  return { ...head, signers: signers.sort(), rows: acknowledged, replies_to: replies, ...judged };
}
