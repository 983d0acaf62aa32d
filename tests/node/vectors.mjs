#!/usr/bin/env node
// Runs the reader over every example there is, and says where the two disagree:
//
//   format                    the examples that stand in docs/FORMAT.md itself
//   example                   the files of docs/vectors, by keys that follow from names (section 1)
//   age                       C2SP's vectors of age, those that are not armored (npm: cctv-age)
//   envelope … casebook       tests/vectors, one failure a file
//
// Prints a line for each difference and one for each kind. Exit 1 if anything differs, or if there
// is nothing to judge. Another folder than tests/vectors may be named on the command line.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { bech32 } from "@scure/base";
import * as cctv from "cctv-age";
import * as bundles from "./bundle.mjs";
import * as casebook from "./casebook.mjs";
import { envelope, files, slice_of } from "./envelope.mjs";
import { carry, choose, fold } from "./fold.mjs";
import * as f from "./format.mjs";
import * as keyrings from "./keyring.mjs";
import { quorum_package } from "./reader.mjs";
import * as replies from "./replies.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DOCS = here("../../docs/");
const VECTORS = process.argv[2] ?? here("../vectors/");

// ---- tests/vectors ----------------------------------------------------------------------------

// Header lines, a blank line, the body. `get` is the only value of a key, `all` are all of them.
function parsed(bytes) {
  const end = bytes.indexOf("\n\n");
  if (end < 0) throw new Error("no vector: it has no blank line");
  const lines = bytes.toString("utf-8", 0, end).split("\n");
  const pairs = lines.map((line) => /^([a-zA-Z0-9- ]+): ?(.*)$/s.exec(line).slice(1));
  const all = (key) => pairs.filter(([k]) => k === key).map(([, value]) => value);
  const get = (key) => all(key)[0] ?? null;
  const rest = bytes.subarray(end + 2);
  return { pairs, all, get, body: get("compressed") === "zlib" ? inflateSync(rest) : rest };
}

const load = (kind, name) => parsed(readFileSync(join(VECTORS, kind, name)));

// The keyrings of a vector: the one in force last, behind those that were installed before it.
function keyrings_of(vector, later = []) {
  const after = vector.get("after");
  const files = [vector.body, ...later];
  return after === null ? keyrings.chain(files) : keyrings_of(load("keyring", after), files);
}

// What the reader makes of a vector: the facts that its header must give, or Refused.
const judges = {
  async envelope(v) {
    const sealed = v.get("layer") === "sealed";
    const plain = sealed ? await f.open(v.body, v.all("identity")) : v.body;
    const e = envelope(plain, v.get("row"));
    const told = { kind: e.kind, day: e.day, case: e.case, "body-sha256": e["body-sha256"] };
    if (e.kind !== "slice") return told;
    const slice = slice_of(e);
    return { ...told, slice: slice === null ? "-" : f.write(slice) };
  },
  keyring(v) {
    const { version, fingerprint, signers } = keyrings_of(v).at(-1);
    return { version, fingerprint, signers: signers.join(" ") };
  },
  bundle(v) {
    if (v.get("type") === "return") {
      const keyring = keyrings_of(load("keyring", v.get("keyring"))).at(-1);
      return judged(bundles.acknowledgement(v.body, keyring));
    }
    const trusted = { bundle_key: v.get("bundle-key"), deployment: v.get("deployment") };
    return judged(bundles.bundle(v.body, trusted));
  },
  async reply(v) {
    const sealed = v.get("layer") === "sealed";
    const r = replies.reply(sealed ? await f.open(v.body, v.all("identity")) : v.body);
    return { kind: r.kind, day: r.day, number: r.number, "text-sha256": f.sha256(r.text) };
  },
  async package(v) {
    const files = Object.entries(JSON.parse(v.body)).map(([k, b]) => [k, Buffer.from(b, "base64")]);
    const keys = v.pairs.filter(([k]) => k.startsWith("key-")).map(([k, x]) => [k.slice(4), x]);
    const expected = v.get("expected-recipient");
    const identity = await quorum_package(new Map(files), new Map(keys), expected);
    return { "identity-sha256": f.sha256(identity) };
  },
  async event(v) {
    const known = keyrings_of(load("keyring", v.get("keyring")));
    if (v.get("layer") === "plaintext") return casebook.event(v.body, v.get("chain"), known) && {};
    const read = await casebook.chain(v.body, v.get("chain"), known, v.all("identity"));
    const events = [...read.events.keys()].join(" ") || "-";
    return { events, closed: read.shut.size, fault: read.faults[0] };
  },
  casebook(v) {
    const known = keyrings_of(load("keyring", v.get("keyring")));
    const files = Object.entries(JSON.parse(v.body));
    const read = files.map(([name, frames]) => laid(name.split("~")[0], frames, known));
    const { chains, parted } = choose(read);
    const carrying = carry(chains, known);
    const { cases, assigned, gone, heard, sent, lost, left_out } = fold(chains);
    const named = { "left-out": left_out.sort(), carrying, lost, parted };
    const words = Object.entries(named).map(([key, value]) => [key, value.join(" ") || "-"]);
    const fault = Object.values(named).flat()[0];
    const told = { cases, assigned, gone, heard, sent };
    const values = Object.entries(told).map(([key, value]) => [key, f.write(value)]);
    return { ...Object.fromEntries([...values, ...words]), fault };
  },
};

// A chain from the frames of a vector: of each its hash, and the event's two lines if it opens.
function laid(name, frames, known) {
  const numbered = frames.map(([hash, text], place) => [place + 1, hash, text]);
  const open = numbered.filter(([, , text]) => text !== null);
  const read = ([number, , text]) => [number, casebook.event(Buffer.from(text), name, known)];
  return {
    name,
    hashes: new Map(numbered.map(([number, hash]) => [number, hash])),
    events: new Map(open.map(read)),
    shut: new Set(numbered.filter(([, , text]) => text === null).map(([number]) => number)),
    used: Infinity,
  };
}

const judged = ({ verdicts, doubled, stray, acknowledged }) => ({
  verdicts: verdicts.join(" ") || "-",
  doubled,
  stray,
  ...(acknowledged === undefined ? {} : { acknowledged }),
});

// "" if the reader and the vector agree, else how they differ.
async function difference(kind, name) {
  const v = load(kind, name);
  let verdict = "accepted";
  let facts = {};
  let why = "";
  try {
    ({ fault: why = "", ...facts } = await judges[kind](v));
    if (why !== "") verdict = "refused"; // a chain is read on behind a fault
  } catch (error) {
    if (!(error instanceof f.Refused)) throw error;
    [verdict, why] = ["refused", error.message];
  }
  const expected = v.get("expect");
  if (verdict !== expected) return `${verdict} ${why}; it says ${expected} ${v.get("rule") ?? ""}`;
  const wrong = Object.entries(facts).filter(([k, value]) => String(value) !== (v.get(k) ?? ""));
  return wrong.map(([k, value]) => `${k} is ${value}; it says ${v.get(k)}`).join(", ");
}

function vectors(kind) {
  const folder = join(VECTORS, kind);
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  return names.map((name) => [name, () => difference(kind, name)]);
}

// ---- age: C2SP's vectors ----------------------------------------------------------------------

function age_vectors() {
  const all = Object.entries(cctv).map(([name, bytes]) => [name, parsed(Buffer.from(bytes))]);
  const binary = all.filter(([, v]) => v.get("armored") === null);
  return binary.map(([name, v]) => [name, () => age_difference(v)]);
}

async function age_difference(v) {
  let judged = "success";
  try {
    const plain = await f.open(v.body, v.all("identity"), v.get("passphrase"));
    if (f.sha256(plain) !== v.get("payload")) return "another plaintext";
  } catch (error) {
    if (!(error instanceof f.Refused)) throw error;
    judged = error instanceof f.NoKey ? "no match" : "failure";
  }
  return v.get("expect").endsWith(judged) ? "" : `${judged}; it says ${v.get("expect")}`;
}

// ---- docs/FORMAT.md and docs/vectors ----------------------------------------------------------

const seed = (what, name) => createHash("sha256").update(`${what} ${name}`).digest();
const identity = (name) =>
  bech32.encodeFromBytes("AGE-SECRET-KEY-PQ-", seed("identity", name)).toUpperCase();
const example = (name) => readFileSync(join(DOCS, "vectors", name));
const same = (one, other) => (String(one) === String(other) ? "" : `${one} is not ${other}`);

function refused(act) {
  try {
    act();
  } catch (error) {
    if (error instanceof f.Refused) return "";
    throw error;
  }
  return "accepted";
}

function format_examples() {
  const text = readFileSync(join(DOCS, "FORMAT.md"), "utf-8");
  const block = (name) => text.split(`\n\`\`\`vector ${name}\n`)[1].split("\n```")[0].split("\n");
  const table = (name) => Object.fromEntries(block(name).map((line) => line.split(/ +(.*)/s)));
  const key = table("age-key");
  const receipt = table("receipt");
  const box = table("mailbox");
  const nonce = f.hmac(Buffer.from(receipt.seed, "hex"), "intake nonce 1");
  const reply = f.hmac(Buffer.from(receipt.deployment, "hex"), receipt.receipt);
  const recipient = f.recipient_of(key.identity, "3");
  const mailbox = replies.mailbox(reply, Buffer.from(receipt.deployment, "hex"));
  const digits = (text) => {
    try {
      return replies.typed(text);
    } catch (error) {
      if (error instanceof f.Refused) return "none";
      throw error;
    }
  };
  const read = (line) => f.read(Buffer.from(line)) && "";
  const first_16 = (bytes) => bytes.toString("hex", 0, 16);
  return [
    ...block("canonical-accepted").map((line) => [line, () => read(line)]),
    ...block("canonical-refused").map((line) => [line, () => refused(() => read(line))]),
    ["recipient", async () => {
      return same(f.sha256(f.recipient(await recipient)), key["recipient-sha256"]);
    }],
    ["nonce", () => same(nonce.toString("hex"), receipt.nonce)],
    ["reply-secret", () => same(reply.toString("hex"), receipt["reply-secret"])],
    ["case-tag", () => same(first_16(f.hmac(reply, "intake case 1")), receipt["case-tag"])],
    ["row-id", () => same(first_16(f.hmac(nonce, receipt.body)), receipt["row-id"])],
    ...block("receipt-typed").map((line) => {
      const [, text, read_as] = /^(.*?) +(\S+)$/s.exec(line);
      return [text, () => same(digits(text), read_as)];
    }),
    ["receipt-groups", () => same(digits(receipt.groups), receipt.receipt)],
    ...["mailbox", "seed", "notice"].map((what) => [what, () => same(mailbox[what], box[what])]),
    ["mailbox-recipient", async () => {
      const sealed_to = await f.recipient_of(mailbox.identity, "4.1");
      return same(f.sha256(sealed_to), box["recipient-sha256"]);
    }],
  ];
}

function examples() {
  const keyring = () => keyrings.verify(example("keyring"));
  const bundle = () => bundles.bundle(example("40ac8df9-000001.bundle"), keyring());
  // The bytes behind the lists of a bundle or a return, in pieces.
  const pieces = (name, count, size) => {
    const all = example(name).subarray(-count * size);
    return Array.from({ length: count }, (_, i) => all.subarray(i * size, (i + 1) * size));
  };
  const rows = async () => {
    const { rows, size } = bundle();
    const sealed = pieces("40ac8df9-000001.bundle", rows.length, size);
    const open = async (one, i) => envelope(await f.open(one, [identity("2026-w47")]), rows[i][0]);
    return Promise.all(sealed.map(open));
  };
  const chain = (name, file = "alice.desk-a") =>
    casebook.chain(example(file), file, [keyring()], [identity(name)]);
  const attestation = (name) => {
    const line = example(`2026-w47/attestation-${name}`).subarray(0, -1);
    const [by, signature] = f.signature_line(line);
    const { attestations, ...period } = keyring().periods[0];
    const { key } = keyring().reviewers.find((r) => r.name === by);
    const right = f.signed(key, signature, "intake attestation 1\n", f.write(period));
    return same(`${right} ${by} ${attestations.has(name)}`, `true ${name} true`);
  };
  return [
    ["keyring", () => same(keyring().signers, "rosa,ruth")],
    ["bundle", () => same(bundle().verdicts, "ok,ok,ok,ok")],
    ["rows", async () => {
      const kinds = (await rows()).map((e) => e.kind).sort();
      return same(kinds, "slice,slice,testimony,words");
    }],
    ["words", async () => {
      const [{ body }] = (await rows()).filter((e) => e.kind === "words");
      return same(body.words, "နောက်ထပ် စကား");
    }],
    ["file", async () => {
      const [{ name, bytes }, ...others] = files(await rows());
      return same([name, bytes, others.length], ["ဓာတ်ပုံ.txt", "ဓာတ်ပုံ 🕊\n".repeat(3), 0]);
    }],
    ["file, a slice missing", async () => {
      const some = (await rows()).filter((e) => e.size === 0);
      return same(files(some).map(({ bytes }) => bytes === null), "true");
    }],
    ["replies", async () => {
      const [{ reply: secret }] = await rows();
      const { deployment } = keyring();
      const box = replies.mailbox(Buffer.from(secret, "hex"), Buffer.from(deployment, "hex"));
      const name = "40ac8df9-000001.return";
      const { replies_to: lines, size } = bundles.acknowledgement(example(name), keyring());
      const sealed = pieces(name, lines.length, size);
      const read = async (one) => replies.reply(await f.open(one, [box.identity]));
      const told = await Promise.all(sealed.map(read));
      const notice = lines.findIndex(([, id]) => id === box.notice);
      return same([lines.every(([to]) => to === box.mailbox), told[notice].kind,
        told[1 - notice].text], ["true", "notice", "ဖတ်ပြီးပါပြီ။ ဘယ်နေ့ကလဲ။"]);
    }],
    ["return", () => {
      const done = bundles.acknowledgement(example("40ac8df9-000001.return"), keyring());
      return same(done.rows, bundle().rows);
    }],
    ["package", async () => {
      const names = ["package.json", "alice+bob.age"];
      const files = new Map(names.map((name) => [name, example(`2026-w47/${name}`)]));
      const keys = new Map(["alice", "bob"].map((name) => [name, identity(`${name} quorum`)]));
      const expected = keyring().periods[0].recipient;
      return same(await quorum_package(files, keys, expected), identity("2026-w47"));
    }],
    ["attestation-alice", () => attestation("alice")],
    ["attestation-bob", () => attestation("bob")],
    ["chain", async () => {
      const { events, shut, faults } = await chain("archive");
      return same(`${[...events.values()].map((e) => e.what.kind)} ${shut.size} ${faults}`,
        "received,part,received,import,acknowledged 0 ");
    }],
    ["chain, closed", async () => same((await chain("nobody")).shut.size, 5)],
    ["casebook", async () => {
      const files = [await chain("archive"), await chain("archive", "bob.desk-a")];
      const { chains } = choose(files);
      const wrong = carry(chains, [keyring()]);
      const { cases, left_out, lost } = fold(chains);
      const [[, one]] = Object.entries(cases);
      const told = [one.state, one.marks, one.withdrawing, one.hidden, one.received.length];
      told.push(one.slices.length, one.replies.map(([, by, number]) => `${by} ${number}`));
      const faults = files.flatMap((file) => file.faults);
      return same([...told, ...faults, ...wrong, ...left_out, ...lost],
        "contacted,inside,bob,true,4,2,bob 1");
    }],
    ["drafts", async () => {
      const key = identity("bob 2026q4");
      const [line, mark, end] = (await f.open(example("drafts"), [key])).toString().split("\n");
      const { format, pending } = f.read(Buffer.from(line));
      const right = f.hmac(key, `${format}\n`, line).toString("hex") === mark && end === "";
      return same([right, ...pending.map(([, kind]) => kind)], "true,decided,marked,assigned");
    }],
    ["locked.age", async () => {
      const line = await f.open(example("locked.age"), [], "an example, not a secret");
      return /^[0-9a-f]{64}\n$/.test(line.toString("latin1")) ? "" : "no secret key inside";
    }],
  ];
}

// ---- the run ----------------------------------------------------------------------------------

let differences = 0;
const summary = [];
const runs = { format: format_examples(), example: examples(), age: age_vectors() };
for (const kind of Object.keys(judges)) runs[kind] = vectors(kind);
for (const [kind, cases] of Object.entries(runs)) {
  let agreed = 0;
  for (const [name, judge] of cases) {
    const said = await (async () => judge())().catch((error) => `broke: ${error.stack}`);
    if (said === "") agreed += 1;
    else process.stdout.write(`${kind} ${name}: ${said}\n`);
  }
  summary.push(`${kind} ${agreed} of ${cases.length}`);
  differences += cases.length - agreed + (cases.length === 0 ? 1 : 0);
}
process.stdout.write(`${summary.join(", ")}\n`);
process.exitCode = differences === 0 ? 0 : 1;
