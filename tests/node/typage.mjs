// typage, the age implementation of the npm package age-encryption, as a command, and the public
// test vectors of the npm package cctv-age as JSON. For the tests with peers; nothing here is ours.
//
//   node typage.mjs vectors                               {"name": "base64", …}
//   node typage.mjs recipient IDENTITY                    its recipient
//   node typage.mjs seal|armor recipient|passphrase KEY   standard input to standard output
//   node typage.mjs open identity|passphrase KEY          the same way back; armor is read too

import { readFileSync, writeFileSync } from "node:fs";
import * as age from "age-encryption";
import * as vectors from "cctv-age";

const WORK = 10; // scrypt's log N of what is sealed here: the format is under test, not the work

async function seal(kind, key, plaintext) {
  const encrypter = new age.Encrypter();
  if (kind === "passphrase") {
    encrypter.setScryptWorkFactor(WORK);
    encrypter.setPassphrase(key);
  } else {
    encrypter.addRecipient(key);
  }
  return encrypter.encrypt(plaintext);
}

async function open(kind, key, sealed) {
  const decrypter = new age.Decrypter();
  if (kind === "passphrase") decrypter.addPassphrase(key);
  else decrypter.addIdentity(key);
  const armored = Buffer.from(sealed.subarray(0, 64)).toString("latin1").startsWith("-----BEGIN");
  return decrypter.decrypt(armored ? age.armor.decode(sealed.toString("latin1")) : sealed);
}

const input = () => readFileSync(0);
const [command, kind, key] = process.argv.slice(2);
const commands = {
  vectors: () =>
    JSON.stringify(
      Object.fromEntries(
        Object.entries(vectors.default ?? vectors).map(([name, data]) => [
          name,
          Buffer.from(data).toString("base64"),
        ]),
      ),
    ),
  recipient: () => age.identityToRecipient(kind),
  seal: () => seal(kind, key, input()),
  armor: async () => age.armor.encode(await seal(kind, key, input())),
  open: () => open(kind, key, input()),
};
writeFileSync(1, await commands[command]());
