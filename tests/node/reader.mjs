#!/usr/bin/env node
// A reader of Intake's files, written from docs/FORMAT.md and without Intake's code: packages here,
// envelopes, keyrings, bundles, returns, replies and casebooks in the modules beside this one.
//
// The library functions throw Refused. Only `main` prints and sets the exit code.

import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import * as bundles from "./bundle.mjs";
import * as casebook from "./casebook.mjs";
import * as envelopes from "./envelope.mjs";
import * as f from "./format.mjs";
import * as keyrings from "./keyring.mjs";
import * as replies from "./replies.mjs";

// ---- packages (section 9) ---------------------------------------------------------------------

const FILE = 64 << 10;

const common = {
  format: f.one_of("intake package 1"),
  name: f.name,
  quorum: f.integer(2, 5),
  recipient: f.recipient,
  reviewers: f.list(f.name),
};
const package_shapes = {
  archive: f.record({ ...common, secret: f.text }),
  period: f.record({ ...common, first: f.day, last: f.day, secret: f.text }),
};

// `files` is a Map of name to bytes, `keys` one of reviewer to quorum identity. `expected` is the
// recipient that the keyring names; without it only half of the proof is done.
export async function quorum_package(files, keys, expected = null) {
  const bytes = files.get("package.json");
  f.check(bytes !== undefined && bytes.length <= FILE, "9", "no package.json of at most 64 KiB");
  const raw = f.read(bytes, "9");
  const secret = f.one_of("archive", "period")(raw?.secret, "9");
  const p = package_shapes[secret](raw, "9");
  const n = p.reviewers.length;
  f.check(p.quorum <= n && n <= 5, "9", "a quorum out of range, or too many reviewers");
  f.check(f.rising(p.reviewers), "9", "reviewers out of order");
  f.check(expected === null || expected === p.recipient, "9", "not what the keyring names");
  let failure = new f.NoKey("9", "no quorum of keys at hand");
  for (const names of subsets(p.reviewers.filter((name) => keys.has(name)), p.quorum)) {
    try {
      return await unwrapped(files.get(`${names.join("+")}.age`), names, keys, p.recipient);
    } catch (error) {
      if (!(error instanceof f.Refused)) throw error;
      failure = error; // and the next k-subset is tried
    }
  }
  throw failure;
}

async function unwrapped(file, names, keys, recipient) {
  f.check(file !== undefined && file.length <= FILE, "9", "no file of at most 64 KiB for these");
  for (const name of names) file = await f.open(file, [keys.get(name)]);
  const identity = file.toString("latin1");
  f.check(identity.endsWith("\n"), "9", "an identity without its line's end");
  const inside = await f.recipient_of(identity.slice(0, -1), "9");
  f.check(inside === recipient, "9", "an identity of another recipient");
  return identity.slice(0, -1);
}

function subsets(names, k) {
  if (k === 0) return [[]];
  return names.flatMap((name, i) => subsets(names.slice(i + 1), k - 1).map((s) => [name, ...s]));
}

// ---- the command line -------------------------------------------------------------------------

const HELP = `Reads Intake's files without Intake (docs/FORMAT.md).

  node reader.mjs envelope FILE --identity AGE-SECRET-KEY-PQ-1... [--row HEX]
  node reader.mjs keyring FILE...          a chain, the first keyring first
  node reader.mjs bundle FILE --keyring FILE
  node reader.mjs return FILE --keyring FILE
  node reader.mjs reply FILE --deployment HEX --receipt "0000 0000 ..."
  node reader.mjs chain FILE --keyring FILE --identity AGE-SECRET-KEY-PQ-1...   faults are named
  node reader.mjs package DIR --key alice=AGE-SECRET-KEY-PQ-1... --key bob=...

Examples, from the folder of this file, with the public examples of docs/vectors:

  node reader.mjs keyring ../../docs/vectors/keyring
  node reader.mjs return ../../docs/vectors/40ac8df9-000001.return \\
    --keyring ../../docs/vectors/keyring

Prints one line of JSON. Exit 0: done. 4: refused. 2: the command line was wrong.
A secret on a command line can be read by others on the machine: use this for tests only.
`;

class Misuse extends Error {}

const commands = {
  async envelope([file], { identity, row }) {
    if (identity.length === 0) throw new Misuse("an --identity is needed");
    const plain = await f.open(readFileSync(file), identity);
    const { content, ...e } = envelopes.envelope(plain, row ?? null);
    return { ...e, "content-sha256": f.sha256(content) };
  },
  async reply([file], { deployment, receipt }) {
    if (!deployment || !receipt) throw new Misuse("a --deployment and a --receipt are needed");
    const salt = Buffer.from(f.hex(32)(deployment, "1"), "hex");
    const secret = f.hmac(salt, replies.typed(receipt));
    const { identity } = replies.mailbox(secret, salt);
    return replies.reply(await f.open(readFileSync(file), [identity]));
  },
  async keyring(files) {
    const all = keyrings.chain(files.map((file) => readFileSync(file)));
    const { version, fingerprint, signers } = all.at(-1);
    return { version, fingerprint, signers };
  },
  async bundle([file], options) {
    return bundles.bundle(readFileSync(file), in_force(options));
  },
  async return([file], options) {
    return bundles.acknowledgement(readFileSync(file), in_force(options));
  },
  async chain([file], options) {
    const known = [in_force(options)];
    const read = await casebook.chain(readFileSync(file), basename(file), known, options.identity);
    const events = [...read.events.values()].map((e) => [e.sequence, e.day, e.what.kind]);
    return { events, closed: read.shut.size, faults: read.faults };
  },
  async package([folder], { key }) {
    const keys = new Map(key.map((pair) => pair.split("=")));
    const files = new Map(readdirSync(folder).map((x) => [x, readFileSync(join(folder, x))]));
    const identity = await quorum_package(files, keys);
    return { identity };
  },
};

function in_force({ keyring }) {
  if (keyring === undefined) throw new Misuse("a --keyring is needed");
  return keyrings.verify(readFileSync(keyring));
}

async function main() {
  const many = { type: "string", multiple: true, default: [] };
  const options = {
    deployment: { type: "string" },
    help: { type: "boolean" },
    identity: many,
    key: many,
    keyring: { type: "string" },
    receipt: { type: "string" },
    row: { type: "string" },
  };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (values.help) return process.stdout.write(HELP);
    const [command, ...files] = positionals;
    const known = Object.hasOwn(commands, command ?? "");
    const enough = command === "keyring" ? files.length > 0 : files.length === 1;
    if (!known || !enough) throw new Misuse("no such command; see --help");
    const facts = await commands[command](files, values);
    process.stdout.write(`${f.write(facts)}\n`);
  } catch (error) {
    // Errors with a code are Node's: no such file, no such option.
    const misuse = error instanceof Misuse || error.code !== undefined;
    if (!misuse && !(error instanceof f.Refused)) throw error; // a defect of ours
    process.stderr.write(`${error.message}\n`);
    process.exitCode = misuse ? 2 : 4;
  }
}

const program = process.argv[1] && pathToFileURL(realpathSync(process.argv[1])).href;
if (program === import.meta.url) await main();
