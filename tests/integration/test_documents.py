"""What documents of a server mean: the program's readers against the verdicts of the corpus and the models.

`presencectl decode` runs the real readers over files and prints a line a file, or a line a frame of one
that was captured from a CSTA link. The files of one command are one subscription for dialog-info, one
monitored device for CSTA, and independent of each other for PIDF, so that one run of the program decides
thousands of PIDF documents:

  1. the verdicts of tests/integration/documents/*.jsonl,
  2. random documents against tests/model/pidf_model.py and dialog_info_model.py,
  3. the command itself: other types, wrong usage, standard input.

PRESENCED_BUILD  the folder with presencectl (default: build/ of this repository)
SEED             repeats a random run; it is printed, and shown with every mismatch
RUNS             how many PIDF documents; of dialog-info a sixth as many sequences (default: 6000)

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import itertools
import json
import os
import random
import re
import subprocess
import sys

import pytest

from presenced import BUILD, TESTS

sys.path.insert(0, str(TESTS / "model"))

import dialog_info_model  # noqa: E402
import pidf_model  # noqa: E402

PROGRAM = BUILD / "presencectl"
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
RUNS = int(os.environ.get("RUNS") or 6000)
FILES_A_RUN = 1500  # their names fit into one command line
MISMATCHES_SHOWN = 3
DEADLINE = 60.0

PIDF_TYPE = "application/pidf+xml"
DIALOG_INFO_TYPE = "application/dialog-info+xml"


# ---- running the program ----------------------------------------------------------------

def decode(*arguments, folder=None, data=b""):
    """The exit status and the verdicts of one command."""
    done = subprocess.run([PROGRAM, "decode", *arguments], input=data, capture_output=True, cwd=folder,
                          timeout=DEADLINE)
    assert done.returncode in (0, 1) and not done.stderr, f"exit status {done.returncode}: {done.stderr[-4000:]!r}"
    lines = done.stdout.split(b"\n")
    assert lines.pop() == b"", "the last line is whole"
    return done.returncode, [json.loads(line, object_pairs_hook=unique_keys) for line in lines]


def unique_keys(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice in one object: {keys}"
    return dict(pairs)


def refused(*arguments):
    """The exit status and the complaint of a command that decodes nothing."""
    done = subprocess.run([PROGRAM, "decode", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.stdout == ""
    return done.returncode, done.stderr


def decode_files(case, folder):
    """The same for files of CSTA, each of which may be many frames."""
    names = [folder / name for name in case["files"]]
    entity = ["--entity", case["entity"]] if "entity" in case else []
    status, verdicts = decode(*entity, "csta", *names)
    assert status == any(verdict["status"] == "error" for verdict in verdicts)
    return [without_text_of_csta(verdict) for verdict in verdicts]


def without_text_of_csta(verdict):
    verdict = dict(verdict)
    if verdict["status"] == "ignored":
        assert verdict.pop("reason", ""), "a document is ignored for a reason"
    if verdict["status"] == "error":
        assert verdict.pop("error", ""), "a document is refused for a reason"
    return verdict


def decode_documents(kind, documents, folder):
    """The verdicts on the documents, in one command, without the texts of errors and reasons."""
    names = []
    for number, document in enumerate(documents):
        names.append(f"{number}.xml")
        (folder / names[-1]).write_bytes(document)
    status, verdicts = decode(kind, *names, folder=folder)
    assert len(verdicts) == len(documents), "one line a file"
    assert status == any(verdict["status"] == "error" for verdict in verdicts)
    return [without_text(document, verdict) for document, verdict in zip(documents, verdicts)]


def without_text(document, verdict):
    """The verdict without its sentence, which must be there when it is needed."""
    verdict = dict(verdict)
    if verdict["status"] == "ignored":
        assert verdict.pop("reason", ""), "a document is ignored for a reason"
    if verdict["status"] == "error":
        error = verdict.pop("error", "")
        too_large = len(document) > pidf_model.LARGEST_DOCUMENT  # never read, so there is no line
        assert error and (too_large or re.search(r"\bline [1-9][0-9]*\b", error)), f"where is it wrong? {error!r}"
    return verdict


# ---- comparing --------------------------------------------------------------------------

def exact(value):
    # Text, since for Python 1 equals true.
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def fail_on_difference(cases, hint=""):
    """Each case: the documents, the verdicts expected, and those that the program gave."""
    different = [case for case in cases if exact(case[1]) != exact(case[2])]
    if different:
        shown = [describe(*case) for case in different[:MISMATCHES_SHOWN]]
        pytest.fail("\n\n".join([f"{len(different)} of {len(cases)} cases differ. {hint}"] + shown), pytrace=False)


def describe(documents, expected, got):
    """What led to the first verdict that differs."""
    wrong = next(n for n, (e, g) in enumerate(zip(expected, got)) if exact(e) != exact(g))
    written = "".join(f"  {document!r}\n" for document in documents[:wrong + 1])
    return f"documents:\n{written}expected: {exact(expected[wrong])}\ngot:      {exact(got[wrong])}"


@pytest.fixture(scope="module", autouse=True)
def program_is_built():
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} is not there: run make, or set PRESENCED_BUILD", pytrace=False)


# ---- 1: the corpus ----------------------------------------------------------------------

def corpus(name):
    """For every line: the documents and the verdicts on them."""
    with open(TESTS / "integration" / "documents" / f"{name}.jsonl", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines if line.strip()]
    folder = TESTS / "corpus" / name
    return [([(folder / file).read_bytes() for file in case["files"]], case["verdicts"]) for case in cases]


def test_verdicts_of_pidf(tmp_path):
    cases = corpus("pidf")
    every = itertools.chain.from_iterable(documents for documents, _ in cases)
    got = iter(decode_documents("pidf", list(every), tmp_path))
    fail_on_difference([(documents, expected, list(itertools.islice(got, len(documents))))
                        for documents, expected in cases])


def test_verdicts_of_dialog_info(tmp_path):
    fail_on_difference([(documents, expected, decode_documents("dialog-info", documents, tmp_path))
                        for documents, expected in corpus("dialog_info")])


def csta_cases():
    with open(TESTS / "integration" / "documents" / "csta.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def test_verdicts_of_csta():
    fail_on_difference([(case["files"], case["verdicts"], decode_files(case, TESTS / "corpus" / "csta"))
                        for case in csta_cases()])


def test_every_document_of_csta_has_a_verdict():
    used = {name for case in csta_cases() for name in case["files"]}
    assert used == {path.name for path in (TESTS / "corpus" / "csta").iterdir()}


def test_errors_of_csta_say_where():
    folder = TESTS / "corpus" / "csta"
    documents = sorted(path for path in folder.iterdir() if path.suffix == ".xml")
    verdicts = list(zip(documents, decode("csta", *documents)[1]))
    verdicts += [(path, verdict) for path in sorted(folder.glob("*.bin")) for verdict in decode("csta", path)[1]]
    for path, verdict in verdicts:
        content = path.read_bytes()
        if verdict["status"] == "error" and content.strip() and len(content) <= pidf_model.LARGEST_DOCUMENT:
            assert re.search(r"\b(line|byte) [0-9]+\b", verdict["error"]), (path.name, verdict)


@pytest.mark.parametrize("entity", [None, "201", "202", "", "N<", "x" * 3000])
def test_csta_in_any_order_is_never_more_than_a_verdict(entity):
    """The whole corpus as one line, there and back: whatever comes out, the program stays sound."""
    files = sorted((TESTS / "corpus" / "csta").iterdir())
    for order in (files, files[::-1]):
        _, verdicts = decode(*(["--entity", entity] if entity is not None else []), "csta", *order)
        assert len(verdicts) >= len(files)
        for verdict in verdicts:
            assert verdict["status"] in ("ok", "ignored", "error")
            assert len((verdict.get("telephony") or {}).get("calls", [])) <= 16


@pytest.mark.parametrize("kind, name", [("pidf", "pidf"), ("dialog-info", "dialog_info")])
def test_each_alone_has_its_exit_status(kind, name):
    """1 exactly when the document is refused."""
    for path in sorted((TESTS / "corpus" / name).iterdir()):
        status, [verdict] = decode(kind, path)
        assert (path.name, status) == (path.name, int(verdict["status"] == "error"))


# ---- 2: random documents ----------------------------------------------------------------

def test_random_pidf(tmp_path):
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    for start in range(0, RUNS, FILES_A_RUN):
        documents = [pidf_model.random_pidf(rng) for _ in range(min(FILES_A_RUN, RUNS - start))]
        got = decode_documents("pidf", documents, tmp_path)
        fail_on_difference([([document], [pidf_model.read(document)], [verdict])
                            for document, verdict in zip(documents, got)], f"SEED={SEED}, from document {start}")


def test_random_dialog_info(tmp_path):
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    sequences = [dialog_info_model.random_dialog_info_sequence(rng) for _ in range(-(-RUNS // 6))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        got = list(pool.map(lambda case: decode_sequence(tmp_path / str(case[0]), case[1]), enumerate(sequences)))
    fail_on_difference([(documents, verdicts_of_the_model(documents), verdicts)
                        for documents, verdicts in zip(sequences, got)], f"SEED={SEED}")


def decode_sequence(folder, documents):
    folder.mkdir()
    return decode_documents("dialog-info", documents, folder)


def verdicts_of_the_model(documents):
    line = dialog_info_model.DialogInfo()
    return [line.apply(document) for document in documents]


# ---- 3: the command ---------------------------------------------------------------------

SOUND = {"pidf": TESTS / "corpus" / "pidf" / "cucm-idle.xml",
         "dialog-info": TESTS / "corpus" / "dialog_info" / "asterisk-idle.xml"}
BROKEN = TESTS / "corpus" / "pidf" / "bad-text.xml"
KINDS = [("pidf", PIDF_TYPE, DIALOG_INFO_TYPE), ("dialog-info", DIALOG_INFO_TYPE, PIDF_TYPE),
         ("pidf", "application/cpim-pidf+xml", "application/xpidf+xml")]  # what Cisco and Polycom telephones say


@pytest.mark.parametrize("kind, own, other", KINDS)
def test_type(kind, own, other):
    plain = decode(kind, SOUND[kind])
    assert plain[0] == 0 and plain[1][0]["status"] == "ok"
    for spelling in (own, own.upper(), f"{own};charset=utf-8", f"{own} ; charset=utf-8"):
        assert decode("--type", spelling, kind, SOUND[kind]) == plain, spelling
    for spelling in (other, "text/plain", own + "x", own[:-1], "xml"):
        status, verdicts = decode("--type", spelling, kind, SOUND[kind], BROKEN)
        assert status == 0, "what is not of this kind is not looked into"
        assert [verdict.pop("reason") != "" for verdict in verdicts] == [True, True]
        assert verdicts == [{"status": "ignored"}] * 2, spelling


@pytest.mark.parametrize("kind", SOUND)
def test_an_entity_may_be_named_and_is_no_file(kind):
    plain = decode(kind, SOUND[kind])
    for arguments in (["--entity", "sip:ann@example.test", kind, SOUND[kind]],
                      [kind, "--entity", "sip:ann@example.test", SOUND[kind]],
                      [kind, SOUND[kind], "--entity=sip:ann@example.test"]):
        assert decode(*arguments) == plain, arguments


@pytest.mark.parametrize("kind", SOUND)
def test_a_missing_file_is_an_error_and_the_others_are_read(tmp_path, kind):
    status, verdicts = decode(kind, tmp_path / "missing.xml", SOUND[kind])
    assert status == 1
    assert [verdict["status"] for verdict in verdicts] == ["error", "ok"]
    assert "missing.xml" in verdicts[0]["error"]


@pytest.mark.parametrize("arguments", [
    [], ["pidf"], ["dialog-info"], ["--type", PIDF_TYPE, "pidf"], ["pidf", "--entity", SOUND["pidf"]],
    ["xpidf", SOUND["pidf"]], ["PIDF", SOUND["pidf"]], ["", SOUND["pidf"]]])
def test_wrong_usage(arguments):
    status, complaint = refused(*arguments)
    assert status == 2
    assert complaint


@pytest.mark.parametrize("kind", SOUND)
def test_standard_input(kind):
    expected = decode(kind, SOUND[kind])
    assert decode(kind, "-", data=SOUND[kind].read_bytes()) == expected
    assert decode(kind, "-", data=b"")[0] == 0, "an empty document is sound"
    status, [verdict] = decode(kind, "-", data=BROKEN.read_bytes())
    assert (status, verdict["status"]) == (1, "error")
