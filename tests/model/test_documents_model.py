"""The models of PIDF and dialog-info agree with the verdicts of the corpus and never raise. Needs no program.

SPDX-License-Identifier: MIT
"""

import json
import pathlib
import random
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
sys.path.insert(0, str(HERE))

import dialog_info_model  # noqa: E402
import pidf_model  # noqa: E402

RICH_KEYS = {"availability", "activity", "note", "idle_since", "observed_at"}
TELEPHONY_KEYS = {"line", "dnd", "calls"}
CALL_KEYS = {"state", "direction", "peer", "name"}


def cases(name):
    lines = (TESTS / "integration" / "documents" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def names(case):
    return " ".join(case["files"])


def corpus(folder):
    return {path.name: path.read_bytes() for path in sorted((TESTS / "corpus" / folder).iterdir())}


PIDF_CASES = cases("pidf.jsonl")
DIALOG_INFO_CASES = cases("dialog_info.jsonl")
PIDF = corpus("pidf")
DIALOG_INFO = corpus("dialog_info")


@pytest.mark.parametrize("case", PIDF_CASES, ids=names)
def test_pidf_corpus(case):
    assert [pidf_model.read(PIDF[name]) for name in case["files"]] == case["verdicts"]


@pytest.mark.parametrize("case", DIALOG_INFO_CASES, ids=names)
def test_dialog_info_corpus(case):
    line = dialog_info_model.DialogInfo()
    assert [line.apply(DIALOG_INFO[name]) for name in case["files"]] == case["verdicts"]


def test_every_document_has_a_verdict():
    assert set(PIDF) == {name for case in PIDF_CASES for name in case["files"]}
    assert set(DIALOG_INFO) == {name for case in DIALOG_INFO_CASES for name in case["files"]}


def check_pidf(document):
    verdict = pidf_model.read(document)
    json.dumps(verdict)
    if verdict == {"status": "error"}:
        return verdict
    assert set(verdict) == {"status", "rich", "telephony"} and verdict["status"] == "ok"
    assert set(verdict["rich"]) <= RICH_KEYS and set(verdict["telephony"]) <= TELEPHONY_KEYS
    assert len(verdict["rich"].get("note", "").encode()) <= 1024
    return verdict


def check_dialog_info(line, document):
    before = line.version, dict(line.table)
    verdict = line.apply(document)
    json.dumps(verdict)
    if verdict["status"] != "ok":
        assert verdict in ({"status": "error"}, {"status": "ignored"})
        assert (line.version, line.table) == before
        return verdict
    assert verdict["rich"] is None and set(verdict["telephony"]) <= {"line", "calls"}
    assert len(line.table) <= 64 and len(verdict["telephony"].get("calls", [])) <= 16
    assert all(set(call) <= CALL_KEYS for call in verdict["telephony"].get("calls", []))
    return verdict


def mutated(rng, document):
    """The document with a few bytes changed, removed or repeated."""
    document = bytearray(document)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(document) + 1)
        document[at:at + rng.randrange(3)] = bytes(rng.choices(b"<>/&;\"' =x\x00\xff\xc3", k=rng.randrange(3)))
    return bytes(document)


def test_random_bytes_are_read():
    rng = random.Random(1)
    line = dialog_info_model.DialogInfo()
    for _ in range(2000):
        document = rng.randbytes(rng.randrange(200))
        check_pidf(document)
        check_dialog_info(line, document)


def test_changed_documents_are_read():
    rng = random.Random(2)
    for document in list(PIDF.values()) * 10:
        check_pidf(mutated(rng, document))
    line = dialog_info_model.DialogInfo()
    for document in list(DIALOG_INFO.values()) * 10:
        check_dialog_info(line, mutated(rng, document))


def test_random_pidf_is_read():
    verdicts = [check_pidf(pidf_model.random_pidf(random.Random(seed))) for seed in range(2000)]
    assert sum(verdict["status"] == "ok" for verdict in verdicts) > 1500


def test_random_dialog_info_is_read():
    seen = set()
    for seed in range(1000):
        line = dialog_info_model.DialogInfo()
        for document in dialog_info_model.random_dialog_info_sequence(random.Random(seed)):
            seen.add(check_dialog_info(line, document)["status"])
    assert seen == {"ok", "ignored", "error"}


def test_random_documents_repeat_with_their_seed():
    for seed in range(20):
        assert len({pidf_model.random_pidf(random.Random(seed)) for _ in range(2)}) == 1
        assert len({tuple(dialog_info_model.random_dialog_info_sequence(random.Random(seed))) for _ in range(2)}) == 1
