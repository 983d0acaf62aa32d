// From a receipt to its replies: docs/FORMAT.md, sections 4, 4.1 and 11.1.

import { hkdfSync, scryptSync } from "node:crypto";
import { bech32 } from "@scure/base";
import * as f from "./format.mjs";

// ---- receipts (section 4) ---------------------------------------------------------------------

const ZEROS = [0x30, 0x1040, 0x1090];
const SPACERS = /[\p{White_Space}\x1c-\x1f\-\u2010-\u2014\u200b-\u200d\u2060\ufeff.,\u104a\u104b]/gu;

// The 24 digits of a receipt as somebody typed it.
export function typed(text) {
  const points = [...text];
  f.check(points.length <= 500, "4", "too long for a receipt");
  const digits = points.join("").replace(SPACERS, "").replace(/./gsu, (point) => {
    const place = point.codePointAt(0);
    const zero = ZEROS.find((first) => place >= first && place < first + 10);
    return zero === undefined ? point : String(place - zero);
  });
  f.check(/^[0-9]{24}$/.test(digits), "4", "not 24 digits");
  f.check(digits[23] === check_digit(digits.slice(0, 23)), "4", "a wrong check digit");
  return digits;
}

function check_digit(digits) {
  let p = 10;
  for (const d of digits) p = (2 * ((p + Number(d)) % 10 || 10)) % 11;
  return String((11 - p) % 10);
}

// ---- mailboxes (section 4.1) ------------------------------------------------------------------

// `secret` and `deployment` are bytes. The identity opens all replies of this mailbox.
export function mailbox(secret, deployment) {
  const work = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 << 20 };
  const key = scryptSync(secret, deployment, 32, work);
  const [id, seed, notice] = ["mailbox", "replies", "notice"].map((label) =>
    Buffer.from(hkdfSync("sha256", key, "", `intake ${label} 1`, 32)));
  const identity = bech32.encodeFromBytes("AGE-SECRET-KEY-PQ-", seed).toUpperCase();
  const first_16 = (bytes) => bytes.toString("hex", 0, 16);
  return { mailbox: first_16(id), seed: seed.toString("hex"), notice: first_16(notice), identity };
}

// ---- replies (section 11.1) -------------------------------------------------------------------

const PLAINTEXT = 4096;
const LONGEST = 1000;

const reply_fields = f.record({
  day: f.day,
  kind: f.one_of("notice", "reply"),
  number: f.integer(0),
  text: f.text,
  version: f.integer(1, 1),
});

export function reply(plain) {
  f.check(plain.length === PLAINTEXT, "11.1", "not 4,096 bytes");
  const [line, end] = f.line(plain, 0, "11.1");
  const r = reply_fields(f.read(line, "11.1"), "11.1");
  f.check(plain.subarray(end).every((byte) => byte === 0x20), "11.1", "padding that is not spaces");
  f.check([...r.text].length <= LONGEST, "11.1", "a text that is too long");
  f.check((r.kind === "notice") === (r.text === ""), "11.1", "a text where none is, or none");
  return r;
}
