// Envelopes, and the files whose slices they carry: docs/FORMAT.md, section 5.

import * as f from "./format.mjs";

const PLAINTEXT = 32_768;
const CONTENT = 32_000;

const envelope_fields = f.record({
  body: (value) => value, // a person looks at it, whatever it is
  case: f.hex(16),
  day: f.day,
  keyring: f.keyring_named,
  kind: f.one_of("testimony", "words", "slice", "withdrawal", "decoy"),
  language: f.text,
  nonce: f.hex(32),
  reply: f.hex(32),
  size: f.integer(0, PLAINTEXT),
  version: f.integer(1, 1),
});

// The plaintext of a row; `row` is the id under which it was stored, null if nobody knows it.
export function envelope(plain, row = null) {
  f.check(plain.length === PLAINTEXT, "5", "not 32,768 bytes");
  const [line, start] = f.line(plain, 0, "5");
  const e = envelope_fields(f.read(line, "5"), "5");
  f.check(start + e.size <= PLAINTEXT, "5", "more content than there is room");
  const content = plain.subarray(start, start + e.size);
  const padding = plain.subarray(start + e.size);
  f.check(padding.every((byte) => byte === 0x20), "5", "padding that is not all spaces");
  const may_have_content = e.kind === "slice" || e.kind === "decoy";
  f.check(may_have_content || e.size === 0, "5", "content in a kind that has none");
  const body = f.write(e.body);
  if (e.kind !== "decoy") {
    const kind = e.kind === "testimony" ? "" : `${e.kind}\n`;
    const id = f.hmac(Buffer.from(e.nonce, "hex"), kind, body, content).toString("hex", 0, 16);
    f.check(row === null || row === id, "5", "a row under another id");
  }
  return { ...e, content, "body-sha256": f.sha256(body) };
}

// ---- files (section 5.1) ----------------------------------------------------------------------

const slice_body = f.record({ number: f.integer(0) });
const end_body = f.record({
  name: f.text,
  number: f.integer(0),
  sha256: f.hex(32),
  size: f.integer(0),
});

// What an event says of an envelope (section 12.2), but for a key: null if it is no slice of a file.
export function slice_of({ kind, nonce, body, content }) {
  if (kind !== "slice") return null;
  const file = f.sha256(Buffer.from(nonce, "hex")).slice(0, 32);
  try {
    const end = content.length === 0;
    const { number, size } = end ? end_body(body, "5.1") : slice_body(body, "5.1");
    const fits = end ? number === Math.ceil(size / CONTENT) : content.length <= CONTENT;
    f.check(fits, "5.1", "a number of slices, or of bytes, that does not fit");
    return { end, file, number };
  } catch (error) {
    if (!(error instanceof f.Refused)) throw error;
    return null;
  }
}

// The files of one case, from its envelopes in the order in which they were recorded: of each end
// its name, and its bytes if all of it is here, and is what the end says; else null.
export function files(envelopes) {
  const slices = new Map(); // "file number" -> content
  const ends = [];
  for (const e of envelopes) {
    const slice = slice_of(e);
    if (slice === null) continue;
    const key = `${slice.file} ${slice.number}`;
    if (slice.end) ends.push({ ...e.body, file: slice.file });
    else if (!slices.has(key)) slices.set(key, e.content);
  }
  return ends.map(({ name, number, sha256, size, file }) => {
    const parts = [];
    while (parts.length < number && slices.has(`${file} ${parts.length}`)) {
      parts.push(slices.get(`${file} ${parts.length}`));
    }
    const bytes = Buffer.concat(parts);
    const whole = parts.length === number && bytes.length === size && f.sha256(bytes) === sha256;
    return { name, bytes: whole ? bytes : null };
  });
}
