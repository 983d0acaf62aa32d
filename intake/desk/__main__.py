"""The desk's command line, and the only file of this room that prints and asks.

Rules:
- Every other module of the room does the work; this one says what came of it.
- What a source wrote comes here only through ``page``, spelled. ``terminal`` spells it all again.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import partial
from typing import Any

from intake import canonical, files, keyring, quorum, terminal
from intake.desk import (
    acknowledging,
    assembling,
    casebook,
    caseload,
    copying,
    deciding,
    exporting,
    figures,
    importing,
    merging,
    page,
    passage,
    reading,
    record,
    redaction,
    resealing,
    state,
    tally,
)
from intake.desk.caseload import Caseload
from intake.desk.cases import GROUNDS, OFFERED, STATES, Case, named
from intake.desk.outgoing import Going
from intake.desk.pages import language, network
from intake.desk.pages.serving import Server
from intake.desk.pages.session import Session
from intake.desk.present import Present, arrive
from intake.desk.state import State
from intake.errors import BadFile, Incomplete, Misuse
from intake.form import Form
from intake.sentences import describe
from intake.settings import Settings
from intake.terminal import FLAG, NUMBER, PATH, PATHS, REVIEWER, YES, say
from intake.wording import Wording

_ME = "python -m intake.desk"
_LONGEST = 60  # minutes until the desk pages lock
_PASSAGES = 1 << 16  # bytes of a file of passages


def init(given: Namespace) -> None:
    """Make a casebook, once for each desk. The keyring's fingerprint must be compared.

    Example:
      python -m intake.desk init --casebook casebook --keyring /stick/keyring --desk desk-a
    """
    data = files.read(given.keyring, keyring.MAX_SIZE)
    say(*describe(keyring.parse(data)))
    terminal.confirm("Is this the fingerprint that was announced to you?", assume=given.yes)
    made = casebook.create(given.casebook, data, given.desk)
    say(f"{made.folder} is there, the casebook of {made.desk}. Next: {_ME} import --help")


def newer(given: Namespace) -> None:
    """Put the next keyring in force.

    Example:
      python -m intake.desk keyring /stick/keyring --casebook casebook
    """
    book = casebook.load(given.casebook)
    new = book.add_keyring(files.read(given.file, keyring.MAX_SIZE))
    say(*describe(new), f"Keyring {new.version} is in force.")


def bring(given: Namespace) -> None:
    r"""Open a bundle and record it. Its period's quorum must be present; the first of them signs.

    Example:
      python -m intake.desk import /stick/5f1c33aa-000003.bundle --casebook casebook \
        --package /stick/2026-w47 --reviewer keys/alice --reviewer keys/bob
    """
    for path in (given.bundle, *([given.package / "package.json"] if given.package else [])):
        if not path.is_file():  # said before anybody types a passphrase
            raise Misuse(
                f"{path} is not there.", "Check the name and the stick, then run it again."
            )
    book, present = _arrive(given)
    watch = partial(terminal.progress, "Opening and recording")
    result = importing.run(book, given.bundle, given.package, present, watch)
    header, counts = result.header, result.counts
    opened = header.count - result.lacking
    start = f"{header.count} in the bundle, {opened} opened, {result.before}"
    say(f"{start}, {counts[state.MISSING]} missing")
    say(*(f"  {counts[of]:6}  {note}" for of, note in importing.NOTES.items() if counts[of]))
    if not result.complete:
        raise Incomplete(
            f"Bundle {header.number} is recorded, but not everything that should be here is.",
            "Copy what is missing again from the server, and import it; what is here stays.",
        )


def list_cases(given: Namespace) -> None:
    """List the cases that a reviewer can open.

    Example:
      python -m intake.desk list --casebook casebook --reviewer keys/alice
    """
    load = _load(given)
    found = load.state
    table = [["case", "day", "danger", "force", "rank", "unit", "state"]]
    for case in found.cases.values():
        told = {k: page.one_line(a) for k, a in reading.summary(load.opened(case)).items()}
        unit = f"{told.get('unit_type', '-')} {told.get('unit_no', '')}".strip()
        cells = [told.get(key, "-") for key in ("urgency", "force", "rank")]
        table.append([case.number, f"{case.day}", *cells, unit, _standing(case)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        say("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    kept = sum(row.blob is not None for row in found.rows.values())
    mine = sum(len(case.received) for case in found.cases.values())
    say("", f"{len(found.cases)} cases are yours, with {mine} of the {kept} envelopes here.")
    _say_faults(found)


def read(given: Namespace) -> None:
    r"""Show one case, as text, or as a page that a browser shows with Burmese in its right shape.

    Examples:
      python -m intake.desk read 3f2a91bc --casebook casebook --reviewer keys/alice
      python -m intake.desk read 3f2a91bc --casebook casebook --reviewer keys/alice \
        --html /run/user/1000/page.html
    """
    load = _load(given)
    case = _shown(load.state, given.case)
    opened = load.opened(case)
    if given.html is not None:
        made = page.html(case, opened, _burmese(), demo=load.book.keyring.demo)
        files.write(given.html, made, replace=False)
        say(f"{given.html} is there, in the clear. Open it here, and delete it after reading.")
    if given.html is None or given.text:
        say(page.text(case, opened))
    _say_faults(load.state)
    if any(item.fault for item in opened):
        raise Incomplete("A part of this case cannot be read.", "See the lines marked with “!”.")


def show(given: Namespace) -> None:
    r"""Show the desk pages in this machine's own browser, until Ctrl-C.

    Switch off every network first. The address that is printed opens the pages once.

    Example:
      python -m intake.desk open --casebook casebook --reviewer keys/alice
    """
    if not 0 < given.lock_after <= _LONGEST:  # nor is it a number that is none
        raise Misuse(f"The desk locks after at most {_LONGEST} minutes.", "Take 5, say.")
    if given.exports and not given.exports.is_dir():
        raise Misuse(f"{given.exports} is no folder.", "Make it first, for files of sources alone.")
    if not given.despite_network:
        network.refuse()
    book, (reader, *_) = _arrive(given)
    identities = reader.quarters()
    session = Session(
        book,
        reader.folder,
        reader.reviewer,
        Settings.from_environment(),
        exports=given.exports,
        idle=given.lock_after * 60,
        demo=given.demo is not None,
        alarm=(lambda: False) if given.despite_network else network.suspected,
    )
    server = Server(session)
    session.begin(identities)
    say("Open this in the browser of this machine; it works once:", f"  {server.address}")
    say("Then it is yours alone. Ctrl-C ends it, and drops all keys.")
    server.run(browser=given.browser)
    say("Ended. What was not signed is kept, sealed to you.")


def export(given: Namespace) -> None:
    r"""Give the cases that a reviewer can open: exact (json), or for a spreadsheet (csv).

    Examples:
      python -m intake.desk export --casebook casebook --reviewer keys/alice --out cases.json
      python -m intake.desk export --casebook casebook --reviewer keys/alice --format csv \
        --out cases.csv
    """
    if given.format == "csv" and given.out is None:
        raise Misuse("A table goes into a file, not to a terminal.", "Add: --out cases.csv")
    load = _load(given)
    cases = {tag.hex(): (case, load.opened(case)) for tag, case in load.state.cases.items()}
    csv = given.format == "csv"
    data = exporting.as_csv(cases, load.form) if csv else exporting.as_json(cases).encode()
    if given.out is None:
        say(data.decode())
        return
    files.write(given.out, data, replace=False)
    say(f"{given.out} is there with {len(cases)} cases, in the clear.")
    _say_faults(load.state)


def take_files(given: Namespace) -> None:
    r"""Write all files of a case into a folder, in the clear, each under a random name.

    Example:
      python -m intake.desk files 3f2a91bc --casebook casebook --reviewer keys/alice \
        --out /run/user/1000/files
    """
    if not given.out.is_dir():
        raise Misuse(f"{given.out} is no folder.", "Make it first, for files of sources alone.")
    load = _load(given)
    case = _shown(load.state, given.case)
    found = [item.file for item in load.opened(case) if item.file]
    failed = 0
    for file in found:
        try:
            path, note = assembling.write(load.book.folder, file, load.identities, given.out)
        except (BadFile, Incomplete) as refused:
            failed += 1
            say(f"! {refused.what} {refused.hint}")
            continue
        if file.end:
            said = f"{file.end.size:,} bytes, SHA-256 {file.end.sha256.hex()}"
            say(f"{path.name} ← {assembling.name(file.end) or '-'}", f"  {said}")
        say(*[f"  {note}"] * bool(note))
    say(f"{len(found) - failed} files are in {given.out}, in the clear.")
    say(*[assembling.ADVICE] * (failed < len(found)))
    _say_faults(load.state)
    if failed:
        raise Incomplete(
            f"{failed} files of this case are not whole.", "See the lines marked with “!”."
        )


def redact(given: Namespace) -> None:
    r"""Write a case as a page that may leave the desk: some answers, without the passages struck.

    The passages stand in a file, one on each line. It is as secret as the case: delete it after.

    Example:
      python -m intake.desk redact 3f2a91bc --casebook casebook --reviewer keys/alice \
        --keep account,unit_type --strike passages.txt --out redacted.html
    """
    load = _load(given)
    case = _case(load.state, given.case)
    opened = load.opened(case)
    strike = passage.read(files.read(given.strike, _PASSAGES)) if given.strike else []
    my = _burmese().text
    file = redaction.redact(case, opened, given.keep.split(","), strike, my)
    files.write(given.out, redaction.html(file, my, demo=load.book.keyring.demo), replace=False)
    say(
        f"{given.out} is there, in the clear: {len(file.answers)} answers, {file.strikes} bars.",
        "No struck passage is in it. Read it whole before you give it to anybody.",
        "If you print it into a PDF: that says when, and with which browser.",
    )
    if given.strike:
        say(f"Next: delete {given.strike}. What was struck stands in it.")
    if not file.may_pass:
        say("Mind: the source did not agree that any of this is passed on. The page says so.")
    if any(item.fault for item in opened):
        raise Incomplete("A part of this case cannot be read.", "See it with: read")


def count(given: Namespace) -> None:
    r"""Count who left: in the cases of the reviewers who are here, or, with the archive, in all.

    Examples:
      python -m intake.desk tally --casebook casebook --reviewer keys/alice
      python -m intake.desk tally --casebook casebook --archive /stick/archive \
        --reviewer keys/alice --reviewer keys/bob --html /run/user/1000/tally.html
    """
    assumed = tally.assume(given.battalion, given.expected, given.expected_note)
    book, present = _arrive(given)
    names = " and ".join(who.name for who in present)
    if given.archive:
        keys = {who.name: who.quorum() for who in present}
        identities = [quorum.open_package(given.archive, keys, book.keyring.archive)]
        opener = f"the archive, which {names} unlocked"
    else:
        identities = [key for who in present for key in who.quarters()]
        opener = f"the caseload of {names}"
    watch = partial(terminal.progress, "Reading")
    found = caseload.load(book, identities, _form(), watch)
    counted = tally.of(found, opener, assumed)
    say(figures.text(counted))
    my, demo = _burmese(), book.keyring.demo
    made = (figures.as_csv(counted), figures.as_json(counted), figures.html(counted, my, demo=demo))
    for path, data in zip((given.csv, given.json, given.html), made, strict=True):
        if path is not None:
            files.write(path, data, replace=False)
            say(f"{path} is there, in the clear. Delete it when it is of no more use.")
    _say_faults(found.state)


def copy(given: Namespace) -> None:
    """Write a second copy of the casebook, or bring it up to date, and read it back.

    Example:
      python -m intake.desk copy --casebook casebook --to /disk/casebook
    """
    copied = copying.copy(casebook.load(given.casebook), given.to)
    say(f"{copied} files copied to {given.to}; all read back, and equal.")


def decide(given: Namespace) -> None:
    r"""Decide about cases, and sign it, without the pages. Nothing is decided by halves.

    Example:
      python -m intake.desk decide 3f2a91bc --as verified --ground course_fits \
        --casebook casebook --reviewer keys/alice
    """
    book, reader = _reader(given)
    found = state.fold(book.chains(reader.quarters()))
    what, grounds = {"note": "", "state": given.state}, tuple(given.grounds)
    if not set(grounds) <= set(OFFERED[given.state]):
        fit = ", ".join(OFFERED[given.state])
        raise Misuse(f"One of these is no ground for {given.state}.", f"Those are: {fit}")
    tags = [_case(found, number).tag for number in given.cases]
    drafts = [deciding.Draft(tag, "decided", what, grounds) for tag in tags]
    say(f"Decisions signed: {deciding.write(book, drafts, reader)}")


def reply(given: Namespace) -> None:
    r"""Answer the source of a case, and sign it. It goes out with the next return of two of you.

    The text stands in a file, so that no terminal remembers it: delete it after.

    Example:
      python -m intake.desk reply 3f2a91bc --text reply.txt --casebook casebook \
        --reviewer keys/alice
    """
    try:
        text = files.read(given.text, _PASSAGES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Misuse(f"{given.text} is not text in UTF-8.", "Save it again as UTF-8.") from None
    book, reader = _reader(given)
    case = _case(state.fold(book.chains(reader.quarters())), given.case)
    deciding.write(book, [deciding.reply(case, text)], reader)
    say(f"Reply to case {case.number} signed; not sent yet.", f"Next: delete {given.text}.")


def withdraw(given: Namespace) -> None:
    r"""Say that a source takes their words back. The second reviewer who says so makes them go.

    Example:
      python -m intake.desk withdraw 3f2a91bc --casebook casebook --reviewer keys/alice
    """
    book, reader = _reader(given)
    case = _case(state.fold(book.chains(reader.quarters())), given.case)
    terminal.confirm(f"Case {case.number}: its words go, here and everywhere?", assume=given.yes)
    deciding.write(book, [deciding.Draft(case.tag, "withdrawn", {"note": ""})], reader)
    case = state.fold(book.chains(reader.quarters())).cases[case.tag]
    say("Its words are gone." if case.erased else "Nobody is shown them now. One more must say so.")


def merge(given: Namespace) -> None:
    r"""Take what other desks recorded and this one has not. Run it at all of them.

    Examples:
      python -m intake.desk merge --from /stick/desk --casebook casebook --reviewer keys/alice
      python -m intake.desk merge --from /stick/desk* --casebook casebook --reviewer keys/alice
    """
    book, reader = _reader(given)
    identities, watch = reader.quarters(), partial(terminal.progress, "Merging")
    merged = [merging.run(book, other, identities, watch) for other in given.other]
    for other, one in zip(given.other, merged, strict=True):
        came = f"{one.blobs} files of words, {one.grown} bytes of logs, {one.keyrings} keyrings"
        say(f"From {other} came {came}.")
    say(f"{sum(one.emptied for one in merged)} files of withdrawn or replaced words were emptied.")
    _say_faults(merged[-1].state)
    if strange := sum(one.strange for one in merged):
        say(f"! {strange} things there are no files of a casebook; they were left alone.")
    if parted := sum(one.parted for one in merged):
        raise Incomplete(
            f"{parted} logs have two histories. Both are kept; the lines above say where.",
            "Ask their authors which desk wrote what, and tell the admins.",
        )


def reseal(given: Namespace) -> None:
    r"""Seal open cases to the keys of this quarter, and agree to what the others sealed.

    Each reviewer runs it, at the turn of a quarter and when somebody was removed. Words under old
    keys are emptied when two have seen that the new ones are the same.

    Example:
      python -m intake.desk reseal --casebook casebook --reviewer keys/alice
    """
    book, reader = _reader(given)
    result = resealing.run(book, reader, None, partial(terminal.progress, "Sealing again"))
    say(f"{result.sealed} cases sealed again, {result.agreed} of others seen to be the same.")
    say(f"{result.emptied} files with old words emptied.")
    if result.waiting:
        say(f"{result.waiting} wait for their other reviewer to run this too, here or elsewhere.")
    if result.broken:
        raise Incomplete(
            f"{len(result.broken)} cases have words that are damaged, or are not the same.",
            "Look at them with: list, read. Take the words from another copy of the casebook.",
        )


def forget(given: Namespace) -> None:
    r"""Destroy the key of a quarter that is over; cases that are closed go with it.

    Example:
      python -m intake.desk forget 2026q3 --casebook casebook --reviewer keys/alice
    """
    book, reader = _reader(given)
    say(f"Without the key of {given.quarter}, closed cases of then open only with the archive.")
    terminal.confirm("Destroy it?", assume=given.yes)
    gone = resealing.forget(book, reader, given.quarter)
    say(f"The key is destroyed. {gone} closed cases can be opened by the archive's quorum only.")
    say("Copies of the key elsewhere live on; so may old blocks of a stick, card or SSD.")


def acknowledge(given: Namespace) -> None:
    r"""Tell the server what it may delete, after the second copy was read back; answer sources.

    Example:
      python -m intake.desk acknowledge --casebook casebook --second-copy /disk/casebook \
        --reviewer keys/alice --reviewer keys/bob --out /stick/1.return
    """
    if given.decoys < 0:
        raise Misuse("There are no fewer than 0 decoys.", "Take 20, say.")
    book, present = _arrive(given)
    signers, second = " and ".join(who.name for who in present), given.second_copy
    done = acknowledging.run(
        *(book, second, present, given.out),
        after=given.after,
        decoys=given.decoys,
        agree=partial(_agree, signers, given.yes),
        watch=partial(terminal.progress, "Sealing what goes back"),
    )
    header, waits, cargo = done.header, done.waits, done.cargo
    if second.stat().st_dev == book.folder.stat().st_dev:
        say("Mind: both copies are on one disk. A disk that fails, or is taken, takes both.")
    if header:
        kept = header.acknowledged - done.decoys
        say(f"Return {header.number}: {kept} rows are in both copies, and may go.")
        say(*[f"So may {done.decoys} decoys, which nobody keeps."] * bool(done.decoys))
        carried = f"{len(cargo.heard)} notices, {len(cargo.replies)} replies, {cargo.decoys} decoys"
        say(f"To sources it carries: {carried}.")
        say(f"Next: carry {given.out} to the server.")
    say(*(f"  {number:6}  cases {doubt}" for doubt, number in sorted(cargo.waits.items())))
    say(*(f"  {number:6}  {doubt}" for doubt, number in sorted(waits.items())))
    if waits:
        raise Incomplete(
            f"Rows that {signers} cannot vouch for, and that stay on the server: {waits.total()}.",
            "If they wait for somebody: copy, then acknowledge again with them. The others stay.",
        )


def _agree(signers: str, yes: bool, going: Sequence[Going]) -> None:
    """Show each reply that goes out, and ask whether it does."""
    told = [(one.case, said) for one in going for _, said in one.replies.values()]
    for case, said in told:
        say(f"Reply to case {case.number}, by {said.author}:", *page.barred(said.note), "")
    if told:
        question = f"{signers}: have you all read this? Do these replies go out: {len(told)}?"
        terminal.confirm(question, assume=yes)


def ends(given: Namespace) -> None:
    """Write where a reviewer's chains end here, for the ceremony that removes them.

    Example:
      python -m intake.desk ends alice --casebook casebook --out /stick/alice.ends
    """
    book = casebook.load(given.casebook)
    if book.keyring.reviewer(given.name) is None:
        raise Misuse(f"{given.name} is no reviewer of this keyring.", "Check the name.")
    chains = book.chains([]).values()
    found = {one.name: one.head for one in chains if one.name.startswith(f"{given.name}.")}
    files.write(given.out, canonical.dump(found), files.PUBLIC, replace=False)
    say(*(f"{name} ends at event {last}." for name, (last, _) in found.items()))
    say(*["They recorded nothing here. If they did at another desk, do this there."] * (not found))
    say(f"{given.out} is there. Next, at the ceremony: remove {given.name} --ends FILE")


def repair(given: Namespace) -> None:
    """Cut off what a power cut left at the end of a log. The cut part is kept in torn/.

    Example:
      python -m intake.desk repair --casebook casebook
    """
    book = casebook.load(given.casebook)
    with book.locked():
        torn = book.torn()
        for chain in torn:
            say(f"{chain.file}: {chain.torn} bytes after event {chain.last} are torn.")
            terminal.confirm("Cut them off, and keep them in torn/?", assume=given.yes)
            say(f"  kept as {record.cut(book.folder, chain)}")
    say("Next: import the last bundle again, to be sure." if torn else "Nothing is torn.")


def _arrive(given: Namespace) -> tuple[casebook.Casebook, list[Present]]:
    book = casebook.load(given.casebook)
    return book, arrive(given.reviewer, book.keyring, terminal.Passphrases(given.demo))


def _reader(given: Namespace) -> tuple[casebook.Casebook, Present]:
    """Return the casebook and the first reviewer; nobody else is asked for a passphrase."""
    given.reviewer = given.reviewer[:1]
    book, (reader,) = _arrive(given)
    return book, reader


def _load(given: Namespace) -> Caseload:
    """Return what the casebook says to the first reviewer, and what opens a case for them."""
    book, reader = _reader(given)
    identities = reader.quarters()
    found = state.fold(book.chains(identities))
    return Caseload(book, found, identities, _form())


def _form() -> Form:
    """Return the form of this machine."""
    return Form.load(Settings.from_environment().form)


def _burmese() -> Wording:
    """Return the wording that stands beside English on a page that is written into a file."""
    return language.load(Settings.from_environment().form)["my"]


def _case(found: State, number: str) -> Case:
    return named(found.cases.values(), number)


def _shown(found: State, number: str) -> Case:
    """Return a case whose words may be shown."""
    case = _case(found, number)
    if case.hidden:
        raise Misuse(f"Case {case.number} is {_standing(case)}.", "Its words are not shown.")
    return case


def _standing(case: Case) -> str:
    """Return the state of a case for a table, or what matters more."""
    if case.hidden:
        return "withdrawn" if case.erased else "being withdrawn"
    return f"{case.state}, in conflict" if case.conflict else case.state


def _say_faults(found: State) -> None:
    if found.closed:
        say(f"For other reviewers, and closed to you: {found.closed} of the log's events.")
    say(*(f"! {fault}" for fault in found.faults))


_PEOPLE = {"type": int, "metavar": "PEOPLE"}
_DECIDED = [state for state in STATES if state in OFFERED]
_OPTIONS: dict[str, dict[str, Any]] = {
    "--archive": {**PATH, "help": "the archive's quorum package, to count all cases"},
    "--battalion": {**_PEOPLE, "default": tally.BATTALION, "help": "in a battalion (%(default)s)"},
    "--csv": {**PATH, "help": "write a table for a spreadsheet"},
    "--expected": {**_PEOPLE, "help": "who are expected; in no total"},
    "--expected-note": {"metavar": "TEXT", "default": "", "help": "who says so, and until when"},
    "--json": {**PATH, "help": "write the numbers for other tools"},
    "--after": {
        **NUMBER,
        "help": "the server's last return, as its status says, if those here came later, or if a "
        "later one was lost: what went back in it goes again",
    },
    "--as": {"dest": "state", "choices": _DECIDED, "help": "the state that the cases get"},
    "--browser": {**FLAG, "help": "open the browser too"},
    "--casebook": {**PATH, "help": "the casebook's folder"},
    "--despite-network": {
        **FLAG,
        "help": "open although a network is up, or it cannot be told: you answer for it",
    },
    "--exports": {**PATH, "help": "the folder that exported files go to"},
    "--keyring": {**PATH, "help": "the keyring, as the roots signed it"},
    "--decoys": {
        **NUMBER,
        "default": 0,
        "help": "how many replies to nobody go along, so that the others are not counted",
    },
    "--desk": {"metavar": "NAME", "help": "the desk's name, such as desk-a"},
    "--format": {"choices": ("json", "csv"), "default": "json", "help": "json if it is not said"},
    "--from": {**PATHS, "dest": "other", "help": "the folders of other casebooks"},
    "--ground": {
        "action": "append",
        "dest": "grounds",
        "choices": GROUNDS,
        "metavar": "CODE",
        "help": f"why; once for each: {', '.join(GROUNDS)}",
    },
    "--html": {**PATH, "help": "write a page, readable by you alone"},
    "--keep": {"metavar": "KEYS", "help": "questions to keep, such as account,rank; day for days"},
    "--lock-after": {
        "type": float,
        "metavar": "MINUTES",
        "default": 5,
        "help": "lock when nobody was there for so long (5)",
    },
    "--out": {**PATH, "help": "the file to write, or the folder for files"},
    "--package": {**PATH, "help": "the period's quorum package; not for a bundle without rows"},
    "--reviewer": REVIEWER,
    "--second-copy": {**PATH, "help": "the second copy's folder"},
    "--strike": {**PATH, "help": "a file with the passages to strike out, one on each line"},
    "--text": {**FLAG, "help": "print the text too"},
    "reply --text": {**PATH, "help": "a file with the reply, of at most 1000 characters"},
    "--to": {**PATH, "help": "the second copy's folder"},
    "--yes": YES,
    "bundle": {**PATH, "help": "what the server's export wrote"},
    "quarter": {"help": "such as 2026q3"},
    "name": {"help": "the reviewer's name"},
    "file": {**PATH, "help": "the next keyring, as the roots signed it"},
    "case": {"help": "the case number, or its beginning"},
    "cases": {"help": "case numbers, or their beginnings", "nargs": "+"},
}
_SHOW = "--casebook --reviewer [--lock-after] [--exports] [--browser] [--despite-network]"
_ASSUMED = "[--battalion] [--expected] [--expected-note]"
_COMMANDS = {
    "init": (init, "--casebook --keyring --desk [--yes]"),
    "keyring": (newer, "file --casebook"),
    "import": (bring, "bundle --casebook [--package] --reviewer"),
    "list": (list_cases, "--casebook --reviewer"),
    "read": (read, "case --casebook --reviewer [--html] [--text]"),
    "open": (show, _SHOW),
    "export": (export, "--casebook --reviewer [--format] [--out]"),
    "files": (take_files, "case --casebook --reviewer --out"),
    "redact": (redact, "case --casebook --reviewer --keep [--strike] --out"),
    "tally": (count, f"--casebook --reviewer [--archive] {_ASSUMED} [--csv] [--json] [--html]"),
    "decide": (decide, "cases --as --ground --casebook --reviewer"),
    "reply": (reply, "case --text --casebook --reviewer"),
    "withdraw": (withdraw, "case --casebook --reviewer [--yes]"),
    "copy": (copy, "--casebook --to"),
    "merge": (merge, "--from --casebook --reviewer"),
    "reseal": (reseal, "--casebook --reviewer"),
    "forget": (forget, "quarter --casebook --reviewer [--yes]"),
    "acknowledge": (
        acknowledge,
        "--casebook --second-copy --reviewer --out [--after] [--decoys] [--yes]",
    ),
    "ends": (ends, "name --casebook --out"),
    "repair": (repair, "--casebook [--yes]"),
}


def build() -> ArgumentParser:
    """Open, record, read and acknowledge testimony, on a machine with no network."""
    return terminal.commands("desk", build, _COMMANDS, _OPTIONS)


if __name__ == "__main__":
    terminal.run(build)
