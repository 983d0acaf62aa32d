// What the events of all chains say together: docs/FORMAT.md, sections 12.1 (State), 12.2 and 12.3.
//
// `chains` is a Map of a chain's name to what casebook.mjs makes of it: { name, hashes, events, shut,
// used }.

import { event } from "./casebook.mjs";
import * as f from "./format.mjs";

// ---- versions of a chain (12.1) ---------------------------------------------------------------

// Of several files of one chain the one that counts; and the names of the chains that have others.
export function choose(files) {
  const chains = new Map();
  const parted = new Set();
  for (const one of files) {
    const other = chains.get(one.name);
    if (other !== undefined) parted.add(one.name);
    if (other === undefined || outweighs(one, other)) chains.set(one.name, one);
  }
  return { chains, parted: [...parted].sort() };
}

function outweighs(one, other) {
  const weight = ({ events, hashes }) => {
    const last = Math.max(0, ...hashes.keys());
    return [events.size, last, hashes.get(last) ?? f.ZEROS];
  };
  const [a, b] = [weight(one), weight(other)];
  const differs = [0, 1, 2].find((place) => a[place] !== b[place]);
  return differs !== undefined && a[differs] > b[differs];
}

// ---- carried events (12.1) --------------------------------------------------------------------

// Puts carried events into their places; returns the events that carry something that is wrong.
export function carry(chains, keyrings) {
  const faults = [];
  const carried = [];
  for (const name of [...chains.keys()].sort()) {
    for (const [number, { what }] of sorted(chains.get(name).events)) {
      if (what.kind !== "carried") continue;
      const texts = Array.isArray(what.events) ? what.events : [null];
      carried.push(...texts.map((text) => ({ by: `${name}:${number}`, text })));
    }
  }
  for (const { by, text } of carried) {
    try {
      f.check(typeof text === "string", "12.1", "a carried event that is no text");
      const plain = Buffer.from(text, "utf-8");
      const raw = f.read(f.line(plain, 0, "12.1")[0], "12.1");
      const chain = chains.get(`${raw?.author}.${raw?.desk}`);
      f.check(chain !== undefined, "12.1", "a carried event of a chain that is not here");
      const e = event(plain, chain.name, keyrings);
      const before = e.sequence === 1 ? f.ZEROS : chain.hashes.get(e.sequence - 1);
      f.check(before === undefined || before === e.previous, "12.1", "another place");
      const read = chain.events.get(e.sequence);
      f.check(read === undefined || read.line === e.line, "12.1", "another event than was read");
      if (!chain.shut.has(e.sequence) || e.sequence > chain.used) continue;
      chain.shut.delete(e.sequence);
      chain.events.set(e.sequence, e);
    } catch (error) {
      if (!(error instanceof f.Refused)) throw error;
      faults.push(by);
    }
  }
  return faults;
}

const sorted = (map) => [...map].sort(([a], [b]) => a - b);

// ---- the order (12.1) -------------------------------------------------------------------------

function* in_order(chains) {
  const nodes = new Map(); // "chain number" -> what waits for what
  const key = (name, number) => `${name} ${number}`;
  for (const { name, hashes, events } of chains.values()) {
    let before = null;
    for (const [number, hash] of sorted(hashes)) {
      const e = events.get(number) ?? null;
      const after = new Set(before === null ? [] : [before]);
      for (const [other, [n]] of e?.heads ?? []) after.add(key(other, n));
      before = key(name, number);
      nodes.set(before, { name, number, hash, event: e, after });
    }
  }
  for (const node of nodes.values()) node.after = [...node.after].filter((k) => nodes.has(k));
  const least = (some) => some.reduce((a, b) => (first(a[1], b[1]) ? a : b));
  while (nodes.size > 0) {
    const waiting = [...nodes];
    const ready = waiting.filter(([, node]) => !node.after.some((k) => nodes.has(k)));
    const [k, node] = least(ready.length > 0 ? ready : waiting);
    nodes.delete(k);
    if (node.event !== null) yield node;
  }
}

function first(a, b) {
  if (a.hash !== b.hash) return a.hash < b.hash;
  return a.name === b.name ? a.number < b.number : a.name < b.name;
}

// ---- what an event says (12.2) ----------------------------------------------------------------

const VERDICTS = ["ok", "here", "altered", "missing", "closed", "foreign"];
const count = f.integer(0);
const under = f.tuple(count, f.hex(32));
const rows = f.list(f.tuple(f.hex(16), f.hex(32), f.one_of(...VERDICTS), f.nullable(f.hex(32))));
const cases = f.map(f.hex(32), f.list(f.name));
const optional = (shape, absent) => (value, rule) =>
  value === undefined ? absent : shape(value, rule);
const envelope = {
  before: optional(f.hex(32), f.ZEROS),
  blob: f.hex(32),
  case: f.hex(16),
  day: f.day,
  envelope: f.name,
  id: f.hex(16),
  keyring: under,
  salt: f.hex(32),
};
const slice = f.record({
  end: f.flag,
  file: f.hex(16),
  key: f.nullable(f.hex(16)),
  number: count,
});
const received = f.list(record_of(envelope));
const resealed = f.list(record_of({ ...envelope, people: optional(f.list(f.name), []) }));
const erasure = f.tuple(f.hex(16), f.hex(32), f.nullable(f.hex(32)));

// A record of an envelope. What it says of a slice stands only where one is, and a key only in the
// first one of a file.
function record_of(shapes) {
  return (value, rule) => {
    const known = fields({ ...shapes, slice: optional(slice, null) })(value, rule);
    const { end, key, number } = known.slice ?? { key: null };
    f.check(known.slice === null || known.envelope === "slice", rule, "a slice of no file");
    f.check(key === null || (number === 0 && !end), rule, "a key that is not of the first slice");
    return known;
  };
}

// As `record`, but other fields are passed over.
function fields(shapes) {
  return (value, rule) => {
    const found = f.map(f.text, (item) => item)(value, rule);
    const known = Object.entries(shapes).map(([k, shape]) => [k, shape(found.get(k), rule)]);
    return Object.fromEntries(known);
  };
}

const decoys = optional(f.map(f.hex(16), f.hex(32)), new Map());
const part = { cases, decoys, manifest: f.hex(32), rows };
const SHAPES = {
  import: fields({ ...part, bundle: count, count, keyring: under, left: count, period: f.name }),
  part: fields(part),
  received: fields({ assigned: f.list(f.name), rows: received }),
  resealed: fields({ assigned: f.list(f.name), rows: resealed }),
  acknowledged: fields({
    heard: optional(f.list(f.hex(32)), []),
    number: count,
    replies: optional(f.list(f.hex(16)), []),
    rows: f.list(f.tuple(f.hex(16), f.hex(32))),
  }),
  erased: fields({ cases, rows: f.list(erasure) }),
  carried: (value) => value,
};

// ---- decisions (12.3) -------------------------------------------------------------------------

const codes = (text) => new Map(text.trim().split("\n").map((line) => {
  const [code, kind, ...grounds] = line.trim().split(/ +/);
  return [code, { kind, grounds }];
}));
const CODES = codes(`
  received    state
  triaged     state  complete urgent other
  contacted   state  asked answered other
  partial     state  unit_fits course_fits answered public_fits others_fit other
  verified    state  unit_fits course_fits vouched document_seen answered public_fits others_fit other
  rejected    state  not_served contradicts unit_wrong empty abuse outside other
  suspected   state  same_wording many_at_once unit_wrong contradicts known_plant other
  coercion    mark   watched phone_of_unit other
  duplicate   mark   same_facts same_wording same_person other
  inside      mark   vouched other
  certify     mark   vouched document_seen other
`);
const of_kind = (kind) => [...CODES].filter(([, c]) => c.kind === kind).map(([code]) => code);

function note(value, rule) {
  f.check([...f.text(value, rule)].length <= 1000, rule, "a note that is too long");
  return value;
}

// Answers go to a source: something is said, and no control character acts on what shows it.
function answer(value, rule) {
  f.check(/[^\p{White_Space}]/u.test(note(value, rule)), rule, "an answer that says nothing");
  f.check(!/[^\n\P{Cc}]/u.test(value), rule, "an answer with a control character");
  return value;
}

const common = { kind: f.text, note };
const mark = { ...common, mark: f.one_of(...of_kind("mark")), on: f.flag };
const DECISIONS = {
  decided: f.record({ ...common, state: f.one_of(...of_kind("state")) }),
  marked: (value, rule) =>
    f.record(value?.mark === "duplicate" ? { ...mark, of: f.hex(16) } : mark)(value, rule),
  withdrawn: f.record(common),
  replied: f.record({ ...common, id: f.hex(16), note: answer }),
};

function knows(one, other) {
  if (one.name === other.name) return other.number < one.number;
  return (one.event.heads.get(other.name)?.[0] ?? -1) >= other.number;
}

function decide(state, node) {
  const { name, number, event: e } = node;
  const what = DECISIONS[e.what.kind](e.what, "12.3");
  const code = what.state ?? what.mark;
  const offered = CODES.get(code)?.grounds ?? [];
  f.check(e.grounds.every((ground) => offered.includes(ground)), "12.3", "grounds of others");
  const found = state.cases.get(e.case);
  if (found === undefined || !found.people.has(e.author)) {
    if (!state.early.has(e.case)) state.early.set(e.case, []);
    state.early.get(e.case).push(node);
    return;
  }
  const about = what.mark ?? what.id ?? what.kind;
  const decision = { name, number, event: e, what, author: e.author, voices: new Set() };
  const before = found.standing.get(about) ?? [];
  f.check(what.kind !== "replied" || before.length === 0, "12.3", "an id that the case has");
  const replaced = about === "withdrawn" ? [] : before.filter((one) => knows(decision, one));
  if (what.state === "verified") {
    const known = found.decisions.filter((one) => one.what.state && knows(decision, one));
    const last = known.filter((one) => !known.some((other) => knows(other, one)));
    decision.voices = new Set([e.author, ...last.flatMap((one) => [...one.voices])]);
  }
  const beside = before.filter((one) => !replaced.includes(one));
  found.standing.set(about, [...beside, decision]);
  found.decisions.push(decision);
}

// ---- the fold ---------------------------------------------------------------------------------

// Who said what: a Map of what was said, in the order of the first saying, to its authors.
function say(said, key, author) {
  if (!said.has(key)) said.set(key, new Set());
  said.get(key).add(author);
}
const agreed = (said) =>
  [...said].filter(([, authors]) => authors.size >= 2).map(([key]) => JSON.parse(key));

export function fold(chains) {
  const state = {
    cases: new Map(), // tag -> what is known of a case
    assigned: new Map(), // hash of a tag -> reviewers
    early: new Map(), // tag -> decisions that no case takes yet
    rows: new Map(), // row id -> the record that counts
    erasures: new Map(),
    wishes: new Map(), // hash of a tag -> author -> the reviewers that they named last
    given: new Map(), // hash of a tag -> reviewers on whom two agreed
    number: 0,
    heard: new Map(), // hash of a tag -> the highest number of a return with its notice
    sent: new Map(), // id of a reply -> the highest number of a return that it went in
  };
  const left_out = [];
  state.leave_out = ({ name, number }) => left_out.push(`${name}:${number}`);
  for (const node of in_order(chains)) try_to_take(state, node);
  for (const nodes of state.early.values()) nodes.forEach(state.leave_out);
  const withdrawn = new Set(); // blobs
  const next = new Map(); // "id blob" -> the blob that two want in its place
  for (const [id, blob, instead] of agreed(state.erasures)) {
    const other = next.get(`${id} ${blob}`) ?? instead;
    if (instead === null) withdrawn.add(blob);
    else next.set(`${id} ${blob}`, instead < other ? instead : other);
  }
  const moved = new Map();
  for (const [id, { blob: first }] of state.rows) {
    for (let blob = first; next.has(`${id} ${blob}`);) {
      const instead = next.get(`${id} ${blob}`);
      next.delete(`${id} ${blob}`);
      moved.set(blob, instead);
      blob = instead;
    }
  }
  for (const [hash, names] of state.given) {
    if (state.assigned.has(hash)) state.assigned.set(hash, names);
  }
  const today = (blob) => {
    for (let steps = 0; steps < moved.size && moved.has(blob); steps += 1) blob = moved.get(blob);
    return blob;
  };
  for (const blob of [...withdrawn]) {
    for (let after = moved.get(blob); after && !withdrawn.has(after); after = moved.get(after)) {
      withdrawn.add(after);
    }
  }
  const must_go = new Set([...moved.keys(), ...withdrawn]);
  const told = [...state.cases].map(([tag, one]) => [tag, summary(one, state, withdrawn, today)]);
  return {
    cases: Object.fromEntries(told),
    assigned: Object.fromEntries(state.assigned),
    gone: [...must_go].sort(),
    heard: Object.fromEntries(state.heard),
    sent: Object.fromEntries(state.sent),
    lost: lost(chains),
    left_out,
  };
}

// The chains of which somebody has seen an event that is not here, or is another one here.
function lost(chains) {
  const seen = [...chains.values()].flatMap(({ events }) => [...events.values()]);
  const heads = seen.flatMap((e) => [...e.heads]);
  const missing = heads.filter(([name, [n, hash]]) => chains.get(name)?.hashes.get(n) !== hash);
  return [...new Set(missing.map(([name]) => name))].sort();
}

function try_to_take(state, node) {
  try {
    take(state, node);
  } catch (error) {
    if (!(error instanceof f.Refused)) throw error;
    state.leave_out(node);
  }
}

function take(state, node) {
  const { event: e } = node;
  const kind = e.what.kind;
  if (Object.hasOwn(DECISIONS, kind)) return decide(state, node);
  f.check(Object.hasOwn(SHAPES, kind), "12.2", "an unknown kind");
  const what = SHAPES[kind](e.what, "12.2");
  if (kind === "import" || kind === "part") record_rows(state, what);
  if (kind === "received" || kind === "resealed") receive(state, e, kind, what);
  if (kind === "acknowledged") {
    f.check(what.number <= state.number + 1000, "12.2", "a number far above the last");
    state.number = Math.max(state.number, what.number);
    for (const [known, keys] of [[state.heard, what.heard], [state.sent, what.replies]]) {
      for (const key of keys) known.set(key, Math.max(known.get(key) ?? 0, what.number));
    }
  }
  if (kind === "erased") {
    for (const erased of what.rows) say(state.erasures, JSON.stringify(erased), e.author);
    for (const [hash, names] of what.cases) wish(state, hash, names, e.author);
  }
}

function wish(state, hash, names, author) {
  const wishes = (state.wishes.get(hash) ?? new Map()).set(author, names);
  const alike = [...wishes.values()].filter((other) => String(other) === String(names));
  if (alike.length >= 2) state.given.set(hash, names);
  state.wishes.set(hash, alike.length >= 2 ? new Map() : wishes);
}

function record_rows(state, what) {
  for (const [hash, names] of what.cases) {
    if (!state.assigned.has(hash)) state.assigned.set(hash, names);
  }
  for (const [id, , verdict, blob] of what.rows) {
    if (verdict !== "ok" && verdict !== "here") continue;
    if ((state.rows.get(id)?.blob ?? null) === null) state.rows.set(id, { blob });
  }
}

function the_case(state, assigned, { case: tag }) {
  if (!state.cases.has(tag)) {
    const fresh = { assigned, people: new Set(), records: [], standing: new Map(), decisions: [] };
    state.cases.set(tag, fresh);
  }
  return state.cases.get(tag);
}

// Decisions of those whose case it was before, which is said only here.
function take_up(state, assigned, record) {
  const found = the_case(state, assigned, record);
  for (const name of record.people) found.people.add(name);
  const early = state.early.get(record.case) ?? [];
  state.early.delete(record.case);
  for (const node of early) {
    if (record.people.includes(node.event.author)) try_to_take(state, node);
    else state.early.set(record.case, [...(state.early.get(record.case) ?? []), node]);
  }
}

function receive(state, e, kind, { assigned, rows: records }) {
  for (const record of records) {
    const there = state.cases.get(record.case);
    const given = state.given.get(f.sha256(Buffer.from(record.case, "hex"))) ?? [];
    const whose = [...(there?.people ?? [e.author]), ...given];
    const may = kind === "received" || whose.includes(e.author);
    f.check(may, "12.3", "words sealed again by none of the case's people");
  }
  if (kind === "resealed") for (const record of records) take_up(state, assigned, record);
  for (const record of records) {
    const found = the_case(state, assigned, record);
    for (const name of assigned) found.people.add(name);
    if (kind === "resealed") found.assigned = assigned;
    found.records.push(record);
  }
}

// What a case is, in words that a vector has.
function summary(one, state, withdrawn, today) {
  const envelopes = new Map();
  for (const record of one.records) {
    const recorded = state.rows.get(record.id)?.blob ?? null;
    const counts = recorded !== null && today(recorded) === record.blob;
    if (counts || !envelopes.has(record.id)) envelopes.set(record.id, record);
  }
  const about = (what) => one.standing.get(what) ?? [];
  const states = new Set(about("decided").map((each) => each.what.state));
  const conflict = states.size > 1 ? about("decided") : [];
  const spoken = conflict.length > 0 ? [] : about("decided").flatMap((each) => [...each.voices]);
  const voices = [...new Set(spoken)].sort();
  let [told = "received"] = states;
  if (conflict.length > 0 || (told === "verified" && voices.length < 2)) told = "partial";
  const on = (what) => about(what).filter((each) => each.what.on);
  const erased = one.records.some(({ blob }) => withdrawn.has(blob));
  const withdrawing = [...new Set(about("withdrawn").map((each) => each.author))].sort();
  const asks = [...envelopes.values()].some((record) => record.envelope === "withdrawal");
  return {
    assigned: one.assigned,
    conflict: conflict.map((each) => `${each.name}:${each.number}`).sort(),
    decisions: one.decisions.length,
    duplicate: on("duplicate").map((each) => each.what.of).sort()[0] ?? null,
    erased,
    hidden: erased || asks || withdrawing.length > 0,
    marks: of_kind("mark").filter((what) => on(what).length > 0).sort(),
    received: [...envelopes].map(([id, record]) => [id, record.blob]),
    replies: one.decisions
      .filter(({ what }) => what.kind === "replied")
      .map(({ what, author }) => [what.id, author, state.sent.get(what.id) ?? 0]),
    slices: [...envelopes]
      .filter(([, record]) => record.slice !== null)
      .map(([id, { slice: s }]) => [id, s.file, s.number, s.end, s.key]),
    state: told,
    voices,
    withdrawing,
  };
}
