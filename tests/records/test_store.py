"""Files of records: lenient reading with one warning, atomic writing, concurrent writers."""

from __future__ import annotations

import json
import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout
from record_data import Make, data

from autosched import shipped as shipped_module
from autosched.errors import AutoschedWarning, RecordError
from autosched.files import write_whole
from autosched.records import SCHEMA, find, nearest, put, read, read_strictly, tuned_directories, write
from autosched.records import store as store_module
from autosched.records.migrate import STEPS
from autosched.schedule import Schedule
from autosched.shipped import file_name, user_directory


def test_what_is_written_is_read(tmp_path: Path, make: Make) -> None:
    a, b = make(), make(key__threads=1)
    (path,) = write([a], "blur", tmp_path)
    assert path == tmp_path / "amd-25-17-avx512vbmi" / "blur.json"
    assert write([b], "blur", tmp_path) == [path]
    assert sorted(r.key.threads for r in read(path)) == [1, 8]
    assert read(path)[0].schedule == Schedule().parallel("out", "y")
    before = path.read_bytes()
    write([a, b], "blur", tmp_path)
    assert path.read_bytes() == before and before.endswith(b"\n")
    assert json.loads(before)["schema"] == SCHEMA
    other = make(key__cpu__model=1)
    assert [p.parent.name for p in write([a, other], "blur", tmp_path)] == [
        "amd-25-1-avx512vbmi",
        "amd-25-17-avx512vbmi",
    ]


def test_what_is_kept_is_told_and_may_be_replaced(tmp_path: Path, make: Make) -> None:
    long, short, other = make(search__trials=90), make(search__trials=5), make(key__threads=1)
    (written,) = put([long, other], "blur", tmp_path)
    assert written.before == () and written.instead(long) is None
    (written,) = put([short], "blur", tmp_path)
    assert written.instead(short) == long and written.before == written.after == read(written.path)
    (written,) = put([short], "blur", tmp_path, replace=True)
    assert written.instead(short) is None and long in written.before and long not in read(written.path)
    assert short in read(written.path) and other in read(written.path)


def test_no_file_is_no_record(tmp_path: Path) -> None:
    assert read(tmp_path / "missing.json") == ()


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "cut short": (lambda d: json.dumps(d)[:100], "it is not JSON"),
    "empty": (lambda d: "", "it is not JSON"),
    "binary": (lambda d: "\x00\x01", "it is not JSON"),
    "nested": (lambda d: "[" * 100_000, "it is not JSON"),
    "a list": (lambda d: "[]", "it is not a file of tuned records"),
    "foreign": (lambda d: '{"BLOCK_SIZE_M": 64}', "it is not a file of tuned records"),
    "old schema": (lambda d: json.dumps({**d, "schema": 0}), "its schema is 0, this version reads 1 to 4"),
    "odd schema": (lambda d: json.dumps({**d, "schema": "1"}), "its schema is '1', this version reads 1 to 4"),
    "records": (lambda d: json.dumps({**d, "records": {}}), "its 'records' is not a list"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_passed_over_and_replaced(tmp_path: Path, make: Make, case: str) -> None:
    spoil, problem = BROKEN[case]
    path = tmp_path / "amd-25-17-avx512vbmi" / "blur.json"
    path.parent.mkdir()
    text = spoil({"schema": 1, "pipeline": "blur", "records": [data()]})
    path.write_text(text)
    with pytest.warns(AutoschedWarning) as caught:
        assert read(path) == ()
    (message,) = [str(w.message) for w in caught]
    assert str(path) in message and problem in message and "`autosched tune blur`" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(path) == ()  # once is enough
    write([make()], "blur", tmp_path)
    assert read(path) == (make(),)
    assert path.with_name("blur.json.broken").read_text() == text


@pytest.mark.parametrize(
    ("kernels", "way"),
    [
        ([], "'records'); delete it"),
        (["one"], "`autosched tune one` writes it anew"),
        (["one", "two"], "`autosched tune one` (or two, which shares it) writes it anew"),
        (["one", "two", "three"], "`autosched tune one` (or two, three, which share it) writes it anew"),
    ],
)
def test_what_writes_a_broken_file_anew_is_named_as_users_do(
    tmp_path: Path, make: Make, kernels: list[str], way: str
) -> None:
    path = tmp_path / "amd-25-17-avx512vbmi" / "blur.json"
    path.parent.mkdir()
    path.write_text("{}")
    for look in (find, nearest):
        store_module.forget_warnings()
        with pytest.warns(AutoschedWarning) as caught:
            look(make().key, "blur", directories=[tmp_path], kernels=lambda pipeline: kernels)
        assert way in str(caught[0].message)
    with pytest.raises(RecordError) as refused:
        read_strictly(path, lambda pipeline: kernels)
    assert (way if kernels else "leave it out") in str(refused.value)


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "blur.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.warns(AutoschedWarning, match="cannot be read"):
        assert read(path) == ()


def test_a_bad_record_does_not_spoil_the_good_ones(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "blur.json"
    bad_schedule = data(schedule={"schema": 1, "funcs": {"out": [{"op": "melt"}]}})
    for bad, what in (
        (data(key__threads=0), "records.1.key.threads"),
        (bad_schedule, "unknown directive 'melt'"),
        (data(times__noise="nan"), "records.1.times.noise"),
        ({**data(), "extra": 1}, "records.1.extra"),
        (data(origin__when="2026-01-01T00:00:00"), "records.1.origin.when"),
        (7, "records.1"),
    ):
        path.write_text(json.dumps({"schema": 1, "pipeline": "blur", "records": [data(), bad]}))
        with pytest.warns(AutoschedWarning) as caught:
            assert read(path) == (make(),)
        assert what in str(caught[0].message)


@pytest.mark.parametrize("rest", [{"pipeline": "blur", "records": []}, {"entries": []}])
def test_a_newer_file_is_not_destroyed(tmp_path: Path, make: Make, rest: dict[str, Any]) -> None:
    path = tmp_path / "amd-25-17-avx512vbmi" / "blur.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"schema": SCHEMA + 1, **rest}))
    with pytest.warns(AutoschedWarning, match="upgrade: `pip install --upgrade autosched`"):
        read(path)
    with pytest.raises(RecordError, match="written by a newer autosched"):
        write([make()], "blur", tmp_path)
    assert json.loads(path.read_text())["schema"] == SCHEMA + 1


@pytest.mark.parametrize(("schema", "lacks"), [(1, ("machine", "losses")), (2, ("losses",)), (3, ())])
def test_files_of_older_schemas_are_brought_up_to_date(
    tmp_path: Path, make: Make, schema: int, lacks: tuple[str, ...]
) -> None:
    """They are read as they are, and written anew when a record is added."""
    path = tmp_path / "amd-25-17-avx512vbmi" / "blur.json"
    path.parent.mkdir()
    file: dict[str, Any] = {"schema": schema, "pipeline": "blur"}
    file["records"] = [{k: v for k, v in data().items() if k not in lacks}]
    for record in file["records"]:
        del record["search"]["kernel"]
    path.write_text(json.dumps(file))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (old,) = read(path)
    assert old == make() and old.machine is None and old.losses is None and old.search.kernel == ""
    assert json.loads(path.read_text()) == file
    known = make(
        search__kernel="siglip",
        key__threads=1,
        machine={"cpus": 2, "load": 0.1, "mhz": [1.0, 2.0]},
        losses={"w1": 0.01},
    )
    write([known], "blur", tmp_path)
    assert json.loads(path.read_text())["schema"] == SCHEMA
    assert sorted(read(path), key=lambda r: r.key.threads) == [known, old]


def test_every_step_between_schemas_is_there() -> None:
    assert sorted(STEPS) == list(range(1, SCHEMA))


def test_unwritable(tmp_path: Path, make: Make) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be written: Not a directory; choose another place with --out DIR"):
        write([make()], "blur", tmp_path / "file")


def test_a_crash_in_the_middle_leaves_the_old_file(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = write([make()], "blur", tmp_path)

    def crash(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        write([make(key__threads=3)], "blur", tmp_path)
    assert read(path) == (make(),)
    assert sorted(p.name for p in path.parent.iterdir() if not p.name.endswith(".lock")) == ["blur.json"]


def _write_some(directory: str, first: int, count: int) -> None:
    from autosched.records import Record

    for threads in range(first, first + count):
        write([Record.model_validate(data(key__threads=threads))], "blur", Path(directory))


def test_fifty_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_some, args=(str(tmp_path), 1 + 2 * i, 2)) for i in range(50)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 50
    found = read(tmp_path / "amd-25-17-avx512vbmi" / "blur.json")
    assert sorted(r.key.threads for r in found) == list(range(1, 101))


def test_a_queue_is_waited_for_as_long_as_it_moves(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far longer than a writer waits for one that does nothing: no number of others is too many."""
    monkeypatch.setattr(store_module, "ATTEMPT", 0.01)
    monkeypatch.setattr(store_module, "PATIENCE", 3)
    (path,) = write([make()], "blur", tmp_path)
    attempts = 0

    class Queue(FileLock):
        """The lock that somebody else holds for 20 attempts, and writes the file in every second one."""

        def acquire(self, timeout: float | None = None, **others: Any) -> Any:
            nonlocal attempts
            attempts += 1
            if attempts > 20:
                return super().acquire(timeout, **others)
            if attempts % 2:
                write_whole(path, path.read_bytes())
            raise Timeout(self.lock_file)

    monkeypatch.setattr(store_module, "FileLock", Queue)
    write([make(key__threads=3)], "blur", tmp_path)
    assert attempts == 21 and sorted(r.key.threads for r in read(path)) == [3, 8]


def test_a_lock_that_nobody_works_under(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "ATTEMPT", 0.01)
    (path,) = write([make()], "blur", tmp_path)
    with (
        FileLock(path.with_name(f".{path.name}.lock")),
        pytest.raises(RecordError, match=r"blur\.json is locked by another writer, which has written nothing for 1 s"),
    ):
        write([make(key__threads=3)], "blur", tmp_path)
    assert read(path) == (make(),)
    write([make(key__threads=3)], "blur", tmp_path)
    assert sorted(r.key.threads for r in read(path)) == [3, 8]


def test_names_of_files() -> None:
    assert file_name("qwen2.5-vl") == "qwen2.5-vl.json"
    assert file_name("../up") == "_up.json"
    assert file_name("a b/c") == "a_b_c.json"


def test_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSCHED_TUNED_DIR", str(tmp_path))
    assert user_directory() == tmp_path
    assert tuned_directories()[0] == tmp_path and tuned_directories()[1].name == "tuned"
    monkeypatch.delenv("AUTOSCHED_TUNED_DIR")
    assert tuned_directories() == (user_directory(),)  # a checkout: one directory for both
    monkeypatch.setattr(shipped_module, "checkout", lambda: None)
    assert user_directory().name == "tuned" and "autosched" in user_directory().parts


def test_find_reads_other_classes_only_when_needed(tmp_path: Path, make: Make) -> None:
    user, shipped = tmp_path / "user", tmp_path / "shipped"
    other = make(key__cpu__model=1)
    write([other], "blur", shipped)
    answer = find(make().key, "blur", directories=[user, shipped])
    assert answer.rung == "same instruction set" and answer.located is not None
    assert answer.located.path == shipped / "amd-25-1-avx512vbmi" / "blur.json"
    write([make(key__threads=1)], "blur", shipped)
    assert find(make().key, "blur", directories=[user, shipped]).rung == "same CPU class"
    write([make()], "blur", user)
    answer = find(make().key, "blur", directories=[user, shipped])
    assert answer.rung == "exact" and answer.located is not None and answer.located.place == 0
    assert find(make().key, "sharpen", directories=[user, shipped]).rung == "built-in default"


def test_nearest_records(tmp_path: Path, make: Make) -> None:
    """What a search starts from: all of them, the same CPU and bucket first, other instruction sets last."""
    other_isa = make(key__cpu__features=["avx2"], key__cpu__model=1)
    other_class, other_bucket = make(key__cpu__model=2), make(key__bucket__measures={"pixels": 9e6, "scale": 1.0})
    for record in (other_isa, other_bucket, other_class, make()):
        write([record], "blur", tmp_path)
    found = [x.record for x in nearest(make().key, "blur", [tmp_path])]
    assert found == [make(), other_bucket, other_class, other_isa]
    assert nearest(make().key, "sharpen", [tmp_path]) == []


def test_the_repository_ships_valid_records() -> None:
    """Every file in tuned/ is read whole."""
    from autosched.shipped import shipped

    for path in shipped("tuned").glob("*/*.json"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for record in read(path):
                assert path.parent.name == record.key.cpu.fingerprint().cpu_class
        assert read(path)
