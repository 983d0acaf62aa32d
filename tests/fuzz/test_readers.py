"""Which test covers which reader of foreign bytes: the table, and that it leaves nothing out.

A reader is a function of ``intake`` that calls one of :data:`CALLS`. When a new one appears, the
table does not hold any more: write its mutations, and name their test here. What a request is
before it has a body, and a receipt that is typed back, are in ``test_requests.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from intake.settings import ROOT

# What takes bytes in, whatever it is called on.
CALLS = {
    *("get_data", "load_object", "loads", "mmap", "open", "open_bundle", "open_return"),
    *("parse_qsl", "read_bytes", "read_text", "readline", "split_signature", "unseal"),
    *("unseal_stream", "canonical.load", "files.read", "request.stream"),
}

KEYRING = "test_a_keyring", "test_a_step_to_the_next_keyring"
BUNDLE, RETURN = ("test_a_bundle",), ("test_a_return",)
AGE = "test_an_age_file", "test_a_file_under_a_passphrase"
LOCKED = ("test_a_locked_file",)
CHAIN = ("test_a_chain",)
SIGNATURE = "test_a_signature_in_its_file", "test_a_signature_line"
BLOB = "test_a_blob", "test_words_whose_name_was_made_to_fit"
FORM = "test_a_form_body", "test_a_form_body_with_its_headers_through_the_whole_site"
UPLOAD = "test_a_body_with_files", "test_a_body_with_files_through_the_store"
COPIED = ()  # whole bytes are compared or copied, and nothing in them is looked at
OURS = ()  # comes with the checkout, from this machine, or from who types the command
WRITES = ()  # opens to write or to lock

READERS: dict[str, tuple[str, ...]] = {
    "about.py:load": OURS,
    "admin/__main__.py:do_diff": KEYRING,
    "admin/__main__.py:do_install": KEYRING,
    "admin/__main__.py:do_show": KEYRING,
    "admin/acknowledging.py:acknowledge": RETURN,
    "admin/chain.py:alone": WRITES,
    "admin/chain.py:last": ("test_the_mark_of_the_last_bundle_or_return",),
    "admin/doctor.py:_swap": OURS,
    "admin/doctor.py:signed_off": OURS,
    "admin/exporting.py:Export._finish": BUNDLE,
    "admin/chain.py:resume": BUNDLE + RETURN,
    "admin/host.py:_read": OURS,
    "admin/host.py:_tor": OURS,
    "admin/install.py:_put": COPIED,
    "admin/maintaining.py:_renew": WRITES,
    "admin/setup.py:bundle_key": ("test_the_bundle_key",),
    "admin/status.py:maintenance": ("test_a_day",),
    "age/header.py": AGE,
    "age/unsealing.py": AGE,
    "bundle/reading.py:_check_signers": RETURN,
    "bundle/reading.py:_header": BUNDLE + RETURN,
    "bundle/reading.py:_opened": BUNDLE + RETURN,
    "bundle/reading.py:_read": BUNDLE + RETURN,
    "canonical.py:load": ("test_canonical_json",),
    "ceremony/__main__.py:_keyring": KEYRING,
    "ceremony/__main__.py:_keyrings": KEYRING,
    "ceremony/__main__.py:_rotate": KEYRING,
    "ceremony/__main__.py:diff": KEYRING,
    "ceremony/__main__.py:show": KEYRING,
    "ceremony/card.py:read": ("test_a_card",),
    "ceremony/card.py:read_signature": SIGNATURE,
    "ceremony/proposal.py:_start": KEYRING,  # of bytes that were parsed the line before
    "ceremony/proposal.py:put": COPIED,
    "ceremony/proposal.py:read_draft": ("test_a_draft_in_its_file", "test_a_draft"),
    "ceremony/rehearsal.py:peel": OURS,
    "ceremony/rehearsal.py:try_subsets": OURS,
    "ceremony/retiring.py:check": BUNDLE + RETURN,
    "ceremony/rotation.py:read_ends": ("test_where_chains_end",),
    "days.py:read_floor": ("test_the_floor", "test_a_day"),
    "declaration.py:check": OURS,
    "desk/__main__.py:init": KEYRING,
    "desk/__main__.py:newer": KEYRING,
    "desk/__main__.py:redact": ("test_passages_to_strike",),
    "desk/__main__.py:reply": OURS,  # a reviewer's own text, which a draft checks
    "desk/assembling.py:write": ("test_a_file_that_its_source_sealed",),
    "desk/casebook.py:Casebook.locked": WRITES,
    "desk/casebook.py:load": ("test_casebook_json", "test_a_keyring_of_the_casebook"),
    "desk/chain.py:_add": CHAIN,
    "desk/chain.py:_event": CHAIN,
    "desk/chain.py:carry": ("test_events_that_were_carried_over",),
    "desk/chain.py:frames": CHAIN,
    "desk/chain.py:read": CHAIN,
    "desk/copying.py:_begins": COPIED,
    "desk/copying.py:_check_place": COPIED,
    "desk/copying.py:_copy_file": COPIED,
    "desk/deciding.py:Drafts.load": ("test_the_drafts_of_a_reviewer",),
    "desk/judging.py:Judge.__call__": BUNDLE,
    "desk/judging.py:Judge.inner_key": ("test_a_file_that_its_source_sealed",),
    "desk/judging.py:Judge._judge": ("test_an_envelope_in_its_seal",),
    "desk/importing.py:_keyring_of": ("test_the_keyring_that_a_bundle_names",),
    "desk/importing.py:run": BUNDLE,
    "desk/labels.py:": OURS,
    "desk/merging.py:_chain": ("test_a_chain_of_another_desk",),
    "desk/merging.py:_keyrings": KEYRING,
    "desk/merging.py:_plain": COPIED,
    "desk/opened.py:parse": ("test_an_envelope",),
    "desk/pages/answers.py:prepare": OURS,
    # This machine's own browser, behind the cookie: test_any_query_is_answered, in test_pages.
    "desk/pages/guard.py:Guard._answer": OURS,
    "desk/pages/network.py:_connects": OURS,
    "desk/pages/serving.py:Server.run": OURS,
    "desk/reading.py:open_words": BLOB,
    "desk/record.py:append": WRITES,
    "desk/record.py:cut": COPIED,
    "desk/record.py:undo": ("test_the_note_of_an_append_that_was_cut_short",),
    "desk/record.py:tidy": ("test_the_note_of_an_import_that_was_cut_short",),
    "desk/staging.py:stage": WRITES,
    "zawgyi.py:_stages": OURS,
    "files.py:read": ("test_a_file_is_read_up_to_its_limit_and_no_further",),
    "files.py:sync_folder": WRITES,
    "files.py:whole": WRITES,
    "form.py:Form.load": OURS,
    "installed.py:load": ("test_the_keyring_that_lies_on_the_server",),
    "installed.py:read_record": ("test_the_record_of_the_installed_keyring",),
    "keyring.py:_lines": SIGNATURE,
    "keyring.py:_structure": KEYRING,
    "locked.py:destroy": WRITES,
    "locked.py:unlock": LOCKED,
    "misplaced.py:_below": ("test_the_search_for_misplaced_secrets",),
    "quorum.py:_open": ("test_a_nested_file_of_a_package",),
    "quorum.py:read_package": ("test_package_json",),
    "server/answers.py:finish": OURS,
    "server/inforce.py:load": (
        "test_the_record_of_the_installed_keyring",
        "test_the_keyring_that_lies_on_the_server",
    ),
    "server/mailbox.py:parse": ("test_a_reply",),
    "server/mailbox.py:visit": ("test_a_reply_in_its_seal",),
    "server/requests.py:read_fields": FORM,
    "server/site.py:create_app": OURS,
    "server/slowly.py:Places._take": WRITES,
    "server/uploads.py:_events": UPLOAD,
    "store.py:Store._held": WRITES,
    "terminal.py:Passphrases.__init__": ("test_a_demo_s_passphrases",),
    "terminal.py:_drop_output": WRITES,
    "terminal.py:_show": OURS,  # a key that is pressed
    "terminal.py:confirm": OURS,
}


def readers(source: str, name: str) -> Iterator[str]:
    """Yield the functions that take bytes in; of the age format, just the module."""
    for place, node in _places(ast.parse(source), ""):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=word):
                words = {word, f"{module}.{word}"}
            case ast.Attribute(attr=word) | ast.Name(id=word):
                words = {word}
            case _:
                continue
        if words & CALLS:
            yield name if name.startswith("age/") else f"{name}:{place}"


def _places(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield everything that is used in a module, with the function or class it stands in."""
    for child in ast.iter_child_nodes(node):
        inner = place
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inner = f"{place}.{child.name}".lstrip(".")
        yield inner, child
        yield from _places(child, inner)


def test_every_reader_of_foreign_bytes_is_in_the_table() -> None:
    folder = ROOT / "intake"
    found = {
        reader
        for path in folder.rglob("*.py")
        for reader in readers(path.read_text("utf-8"), path.relative_to(folder).as_posix())
    }
    assert sorted(found ^ READERS.keys()) == []


def test_every_test_in_the_table_is_there() -> None:
    paths = Path(__file__).parent.glob("test_*.py")
    trees = [ast.parse(path.read_text("utf-8")) for path in paths]
    there = {node.name for t in trees for node in t.body if isinstance(node, ast.FunctionDef)}
    assert {name for names in READERS.values() for name in names} - there == set()


def test_a_new_reader_is_found() -> None:
    planted = (
        "class Box:\n    def look(self, path):\n        return canonical.load(path.read_bytes())"
    )
    assert set(readers(planted, "new.py")) == {"new.py:Box.look"}
    assert set(readers("def f():\n    return map(split_signature, x)", "a.py")) == {"a.py:f"}
