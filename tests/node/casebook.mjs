// Events and the chains they stand in: docs/FORMAT.md, section 12.

import * as f from "./format.mjs";

// What an event says (section 12.2) is for who folds them; here it only has a kind.
function what(value, rule) {
  f.text(f.map(f.text, (item) => item)(value, rule).get("kind"), rule);
  return value;
}

const event_fields = f.record({
  author: f.name,
  case: f.nullable(f.hex(16)),
  day: f.day,
  deployment: f.hex(32),
  desk: f.name,
  format: f.one_of("intake event 1"),
  grounds: f.list((item) => item), // what they say is for who folds them
  heads: f.map(f.chain_name, f.tuple(f.any_integer, f.hex(32))),
  previous: f.hex(32),
  sequence: f.integer(1),
  what,
});

// The plaintext of a frame: two lines. `keyrings` are verified and the last is in force; a key that
// any of them gives the author counts.
export function event(plain, chain, keyrings) {
  const [line, second] = f.line(plain, 0, "12.1");
  const [signature, end] = f.line(plain, second, "12.1");
  f.check(end === plain.length, "12.1", "something after an event");
  const e = event_fields(f.read(line, "12.1"), "12.1");
  const right = f.hex(64)(signature.toString("latin1"), "12.1");
  f.check(`${e.author}.${e.desk}` === chain, "12.1", "an event of another chain");
  f.check(e.deployment === keyrings.at(-1).deployment, "12.1", "another deployment");
  const keys = keyrings.flatMap((k) => k.reviewers.filter((r) => r.name === e.author));
  const signed = keys.some((r) => f.signed(r.key, right, "intake event 1\n", line));
  f.check(signed, "12.1", "a signature that does not verify");
  return { ...e, line: line.toString("utf-8") };
}

const FRAME = /[0-9a-f]{8}\nage-encryption\.org\/v1\n/g;

// What stands in a chain file, in its order: the age file of each frame, and a sentence for each
// stretch of bytes that is none.
export function frames(bytes) {
  const pieces = [];
  const view = bytes.toString("latin1"); // one character a byte, so places are places
  let at = 0;
  while (at < bytes.length) {
    FRAME.lastIndex = at;
    const start = FRAME.exec(view)?.index;
    const end = start === at ? at + 9 + parseInt(view.slice(at, at + 8), 16) : Infinity;
    if (end < bytes.length && bytes[end] === 0x0a) {
      pieces.push(bytes.subarray(at + 9, end));
      at = end + 1;
      continue;
    }
    FRAME.lastIndex = at + 1; // damage: on to the next place where a frame begins
    const next = FRAME.exec(view)?.index;
    pieces.push(next === undefined ? "a torn tail" : "damage that was stepped over");
    at = next ?? bytes.length;
  }
  return pieces;
}

// A chain as `fold.mjs` takes it: the hash of each frame that has a number; the events that count;
// the numbers of the frames that our identities do not open; the number of the last event that may
// count. And a sentence for each fault. An event out of place is named and counts all the same: it
// is the author's, and something else is missing. One that is not the author's does not count.
export async function chain(bytes, name, keyrings, identities) {
  const events = new Map(); // sequence -> event
  const places = new Map(); // number of a frame -> its hash, and whether all was well up to it
  const faults = [];
  const shut = new Set();
  let last = { number: 0, hash: f.ZEROS };
  for (const piece of frames(bytes)) {
    if (typeof piece === "string") {
      faults.push(piece);
      continue;
    }
    const hash = f.sha256(piece);
    let number = last.number + 1; // the one that is due
    try {
      const e = event(await f.open(piece, identities), name, keyrings);
      if (events.has(e.sequence)) {
        faults.push(`${e.sequence}: a second event of this number`);
        continue;
      }
      const follows = e.sequence === number && e.previous === last.hash;
      if (!follows) faults.push(`${e.sequence}: out of place, or not what it follows`);
      number = e.sequence;
      events.set(number, e);
    } catch (error) {
      if (error instanceof f.NoKey) shut.add(number);
      else if (error instanceof f.Refused) faults.push(`${number}: ${error.message}`);
      else throw error;
    }
    places.set(number, { hash, whole: faults.length === 0 });
    if (number >= last.number) last = { number, hash };
  }
  const author = keyrings.at(-1).reviewers.find((r) => r.name === name.split(".")[0]);
  const cut = author?.removed ? cut_at(author.removed.get(name), places) : Infinity;
  if (cut === null) faults.push("not the event that the keyring names, or damage before it");
  else if (cut < last.number) faults.push(`events after ${cut}: their author was removed`);
  const used = cut ?? 0;
  for (const number of events.keys()) if (number > used) events.delete(number);
  const hashes = new Map([...places].map(([number, { hash }]) => [number, hash]));
  return { name, hashes, events: new Map([...events].sort(([a], [b]) => a - b)), shut, used, faults };
}

// The number of the last event of a removed author that counts, 0 if none was named; null if it is
// not here as it was named. What stands behind it costs nothing.
function cut_at(named, places) {
  const [number, hash] = named ?? [0, f.ZEROS];
  const place = places.get(number);
  return number === 0 || (place?.whole && place.hash === hash) ? number : null;
}
