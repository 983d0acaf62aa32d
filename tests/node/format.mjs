// The conventions of docs/FORMAT.md, sections 1 to 3: spelling, canonical JSON, signatures, age.
//
// Whatever is not spelled as the document says is refused. A refusal names the rule that was broken
// and never what the file says: a file may hold what a source wrote.

import {
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  verify,
} from "node:crypto";
import { Decrypter, identityToRecipient } from "age-encryption";
import { bech32 } from "@scure/base";

export class Refused extends Error {
  constructor(rule, why) {
    super(`${why} (FORMAT.md, ${rule})`);
    this.rule = rule;
  }
}

// An age file that is whole as far as we see, but sealed to others.
export class NoKey extends Refused {}

export function check(holds, rule, why) {
  if (!holds) throw new Refused(rule, why);
}

export const sha256 = (...parts) => digest(createHash("sha256"), parts).toString("hex");
export const hmac = (key, ...parts) => digest(createHmac("sha256", key), parts);
const digest = (hash, parts) => parts.reduce((so_far, part) => so_far.update(part), hash).digest();

// ---- canonical JSON (section 2) --------------------------------------------------------------

const DEEPEST = 12;
const LARGEST = 999_999_999_999_999; // 15 digits: below 2^53, so each is one number here too

// Parse, write again, compare the bytes. JSON.parse forgives much (doubled keys, -0, 1e3, other
// escapes, large integers) and the comparison finds all of it.
export function read(bytes, rule = "2") {
  let value;
  try {
    // ignoreBOM *keeps* a byte order mark in the text, where JSON.parse then refuses it.
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new Refused(rule, "not JSON in UTF-8");
  }
  check(write(value, rule).equals(bytes), rule, "JSON that is not canonical");
  return value;
}

export function write(value, rule = "2") {
  return Buffer.from(spell(value, rule, DEEPEST), "utf-8");
}

function spell(value, rule, levels) {
  if (typeof value === "number") {
    const fits = Number.isInteger(value) && Math.abs(value) <= LARGEST;
    check(fits, rule, "a number that is no integer of at most 15 digits");
    return String(value); // "0" for -0
  }
  // For a lone surrogate JSON.stringify writes an escape that our JSON does not have.
  if (typeof value === "string") {
    check(value.isWellFormed(), rule, "text that has no UTF-8");
    return JSON.stringify(value);
  }
  if (value === null || typeof value === "boolean") return String(value);
  check(levels > 0, rule, "JSON deeper than 12 levels");
  const inner = (item) => spell(item, rule, levels - 1);
  if (Array.isArray(value)) return `[${value.map(inner).join(",")}]`;
  const keys = Object.keys(value).sort(by_code_point);
  return `{${keys.map((key) => `${inner(key)}:${inner(value[key])}`).join(",")}}`;
}

// The order of UTF-8 bytes is that of code points. JavaScript's own order is not: it puts U+FFFD
// after U+1F600, whose UTF-16 begins with 0xd83d.
const by_code_point = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

// ---- shapes: what a parsed value must be ------------------------------------------------------
//
// A shape is a function of a value and the rule that it breaks if it is none; it returns the value.
// `record` has exactly its fields. `map` becomes a Map, in which a reviewer may be called
// "constructor" and still be absent.

const text_of = (holds, why) => (value, rule) => {
  check(typeof value === "string" && holds(value), rule, why);
  return value;
};

export const text = text_of(() => true, "no text");
export const one_of = (...words) => text_of((value) => words.includes(value), "an unknown word");
export const hex = (bytes) =>
  text_of((value) => value.length === 2 * bytes && /^[0-9a-f]*$/.test(value), "no such hex");
export const name = text_of((v) => /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(v), "no name");
export const chain_name = text_of((value) => {
  const parts = value.split(".");
  return parts.length === 2 && parts.every((part) => name(part, "1"));
}, "no name of a chain");
export const quarter = text_of((value) => /^[0-9]{4}q[1-4]$/.test(value), "no quarter");
export const day = text_of((value) => {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value)) return false;
  const date = new Date(`${value}T00:00:00Z`); // 30 February is invalid, or another day
  const real = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
  return real && value >= "0001";
}, "no day");
export const recipient = text_of((value) => {
  try {
    const { prefix, words } = bech32.decode(value, false); // false: longer than BIP 173 allows
    const lower = prefix === "age1pq" && bech32.encode(prefix, words, false) === value;
    return lower && hybrid_key(Buffer.from(bech32.fromWords(words)));
  } catch {
    return false;
  }
}, "no recipient of section 3");

// Of ML-KEM-768, numbers of 12 bits below 3329, two in three bytes, and 32 bytes; then the public
// key of X25519, with which an agreement is not zero (OpenSSL throws if it is).
function hybrid_key(bytes) {
  if (bytes.length !== 1184 + 32) return false;
  for (let at = 0; at < 1152; at += 3) {
    const pair = bytes.readUIntLE(at, 3);
    if ((pair & 0xfff) >= 3329 || pair >> 12 >= 3329) return false;
  }
  const publicKey = public_key("X25519", bytes.subarray(1184));
  return diffieHellman({ privateKey: ANY_X25519, publicKey }).length === 32;
}

const public_key = (crv, raw) =>
  createPublicKey({ key: { kty: "OKP", crv, x: raw.toString("base64url") }, format: "jwk" });
const ANY_X25519 = generateKeyPairSync("x25519").privateKey;

export const integer = (least, most = LARGEST) => (value, rule) => {
  check(Number.isInteger(value) && value >= least && value <= most, rule, "a number out of range");
  return value;
};
export const any_integer = integer(-LARGEST);
export const flag = (value, rule) => {
  check(typeof value === "boolean", rule, "neither true nor false");
  return value;
};
export const nullable = (shape) => (value, rule) => (value === null ? null : shape(value, rule));
export const list = (shape) => (value, rule) => {
  check(Array.isArray(value), rule, "no list");
  return value.map((item) => shape(item, rule));
};
export const tuple = (...shapes) => (value, rule) => {
  check(Array.isArray(value) && value.length === shapes.length, rule, "no list of that length");
  return shapes.map((shape, place) => shape(value[place], rule));
};
const entries = (value, rule) => {
  check(value !== null && typeof value === "object" && !Array.isArray(value), rule, "no object");
  return Object.entries(value);
};
export const map = (key, shape) => (value, rule) =>
  new Map(entries(value, rule).map(([k, v]) => [key(k, rule), shape(v, rule)]));
export const record = (shapes) => (value, rule) => {
  const found = entries(value, rule);
  const exact = found.length === Object.keys(shapes).length;
  check(exact && found.every(([k]) => Object.hasOwn(shapes, k)), rule, "not exactly the fields");
  return Object.fromEntries(found.map(([k, v]) => [k, shapes[k](v, rule)]));
};

export const keyring_named = record({ sha256: hex(32), version: any_integer });
export const ZEROS = "0".repeat(64);
export const differ = (values) => new Set(values).size === values.length;
export const rising = (values) => values.every((value, i) => i === 0 || values[i - 1] < value);

// ---- lines and signatures ---------------------------------------------------------------------

// The first line of `bytes` from `start` on, without its LF, and where the next one begins.
export function line(bytes, start, rule) {
  const end = bytes.indexOf(0x0a, start);
  check(end >= 0, rule, "a line without its end");
  return [bytes.subarray(start, end), end + 1];
}

// "<name> <128 hex digits>", from bytes of which every one counts.
export function signature_line(bytes, rule) {
  const words = bytes.toString("latin1").split(" ");
  check(words.length === 2, rule, "no signature line");
  return [name(words[0], rule), hex(64)(words[1], rule)];
}

// `key` and `signature` are hex that was checked; `context` is one of section 1, with its LF.
export function signed(key, signature, context, bytes) {
  const message = Buffer.concat([Buffer.from(context), bytes]);
  try {
    const owner = public_key("Ed25519", Buffer.from(key, "hex"));
    return verify(null, message, owner, Buffer.from(signature, "hex"));
  } catch {
    return false; // bytes that are no key have signed nothing
  }
}

// ---- age (section 3) --------------------------------------------------------------------------

const AGE = "age-encryption.org/v1\n";
const HEADER = 1 << 20;

// The plaintext of an age file, whole or not at all. `identities` are texts in upper case.
export async function open(file, identities, passphrase = null) {
  const header_end = file.indexOf("\n", file.indexOf("\n--- ") + 1);
  check(file.indexOf(AGE) === 0 && header_end < HEADER, "3", "no age file, or a header over 1 MiB");
  const header = file.toString("latin1", 0, header_end).split("\n");
  const stanzas = header.filter((l) => l.startsWith("-> "));
  const locked = stanzas.some((l) => l.startsWith("-> scrypt "));
  check(!locked || stanzas.length === 1, "3", "a passphrase beside other stanzas");
  const decrypter = new Decrypter();
  if (passphrase !== null) decrypter.addPassphrase(passphrase.normalize("NFC"));
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
    return Buffer.from(await decrypter.decrypt(new Uint8Array(file)));
  } catch (error) {
    if (/^no identity matched/.test(error.message)) throw new NoKey("3", "no key opens it");
    throw new Refused("3", "a damaged age file, or no identity");
  }
}

export async function recipient_of(identity, rule) {
  try {
    return await identityToRecipient(identity);
  } catch {
    throw new Refused(rule, "no identity of section 3");
  }
}
