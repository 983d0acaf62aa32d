// Events and the chains they stand in: docs/FORMAT.md, section 12.

import * as f from "./format.mjs";

const head = f.tuple(f.integer(1), f.hex(32)); // [sequence, hash]
const rows = f.list(
  f.tuple(
    f.hex(16),
    f.hex(32),
    f.one_of("ok", "here", "altered", "missing", "closed", "foreign"),
    f.nullable(f.hex(32)),
  ),
);
const cases = f.map(f.hex(32), f.list(f.name));
const keyring = f.tuple(f.integer(1), f.hex(32));

// Section 12.2; `kind` itself is added below.
const kinds = {
  import: {
    bundle: f.integer(1),
    cases,
    keyring,
    left: f.integer(0),
    manifest: f.hex(32),
    period: f.name,
    previous: f.hex(32),
    rows,
  },
  part: { cases, manifest: f.hex(32), rows },
  received: {
    assigned: f.list(f.name),
    blob: f.hex(32),
    day: f.day,
    envelope: f.one_of("testimony", "words", "slice", "withdrawal", "decoy"),
    id: f.hex(16),
    keyring,
    salt: f.hex(32),
  },
  acknowledged: {
    list: f.hex(32),
    manifest: f.hex(32),
    number: f.integer(1),
    rows: f.list(f.tuple(f.hex(16), f.hex(32))),
    signers: f.list(f.name),
  },
};

function what(value, rule) {
  const kind = f.one_of(...Object.keys(kinds))(value?.kind, rule);
  return f.record({ ...kinds[kind], kind: f.text })(value, rule);
}

const event_fields = f.record({
  author: f.name,
  case: f.nullable(f.hex(16)),
  day: f.day,
  deployment: f.hex(32),
  desk: f.name,
  format: f.one_of("intake event 1"),
  grounds: f.list(f.text),
  heads: f.map(f.chain_name, head),
  previous: f.hex(32),
  sequence: f.integer(1),
  what,
});

// The plaintext of a frame: two lines. `keyrings` are verified; a key that any of them gives the
// author counts.
export function event(plain, chain, keyrings) {
  const [line, second] = f.line(plain, 0, "12.1");
  const [signature, end] = f.line(plain, second, "12.1");
  f.check(end === plain.length, "12.1", "something after an event");
  const e = event_fields(f.read(line, "12.1"), "12.1");
  const right = f.hex(64)(signature.toString("latin1"), "12.1");
  f.check(`${e.author}.${e.desk}` === chain, "12.1", "an event of another chain");
  f.check(e.deployment === keyrings[0].deployment, "12.1", "another deployment");
  const keys = keyrings.flatMap((k) => k.reviewers.filter((r) => r.name === e.author));
  const signed = keys.some((r) => f.signed(r.key, right, "intake event 1\n", line));
  f.check(signed, "12.1", "a signature that does not verify");
  f.check((e.sequence === 1) === (e.previous === f.ZEROS), "12.1", "a wrong previous");
  return e;
}

const FRAME = /[0-9a-f]{8}\nage-encryption\.org\/v1\n/g;

// The frames of a chain file, and a fault for each stretch of bytes that is none.
export function frames(bytes) {
  const ages = [];
  const faults = [];
  const view = bytes.toString("latin1"); // one character a byte, so places are places
  let at = 0;
  while (at < bytes.length) {
    FRAME.lastIndex = at;
    const start = FRAME.exec(view)?.index;
    const end = start === at ? at + 9 + parseInt(view.slice(at, at + 8), 16) : Infinity;
    if (end < bytes.length && bytes[end] === 0x0a) {
      ages.push(bytes.subarray(at + 9, end));
      at = end + 1;
      continue;
    }
    FRAME.lastIndex = at + 1; // damage: on to the next place where a frame begins
    const next = FRAME.exec(view)?.index;
    faults.push(next === undefined ? "a torn tail" : `damage after frame ${ages.length}`);
    at = next ?? bytes.length;
  }
  return { ages, faults };
}

// All events of a chain that our identities open and that fit; how many frames they do not open;
// and a sentence for each fault.
export async function chain(bytes, name, keyrings, identities) {
  const { ages, faults } = frames(bytes);
  const events = [];
  let closed = 0;
  let sequence = 0;
  let previous = f.ZEROS;
  let last_day = "";
  for (const age of ages) {
    sequence += 1;
    try {
      const e = event(await f.open(age, identities), name, keyrings);
      f.check(e.sequence === sequence && e.previous === previous, "12.1", "an event out of place");
      f.check(e.day >= last_day, "12.1", "an event earlier than the one before");
      last_day = e.day;
      events.push(e);
    } catch (error) {
      if (error instanceof f.NoKey) closed += 1;
      else if (error instanceof f.Refused) faults.push(`${sequence}: ${error.message}`);
      else throw error;
    }
    previous = f.sha256(age);
  }
  return { events, closed, faults };
}
