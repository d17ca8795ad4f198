import hashlib
import io
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from horae.data.public import PUBLIC_SETS, PublicSet, fetch
from horae.data.sources import read_table
from horae.errors import DataError, RemoteError, StoreError

LOG = "".join(f"u{i % 7}\ti{i % 13}\t3\t{1_400_000_000 + i}\n" for i in range(5_000)).encode()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def publisher(tmp_path):
    """A folder that is served on the loopback, and a set whose file lies there."""
    folder = tmp_path / "publisher"
    folder.mkdir()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/u.data", LOG)
        archive.writestr("tiny/README", "hello")
    (folder / "tiny.zip").write_bytes(buffer.getvalue())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    checksum = "sha256:" + hashlib.sha256(buffer.getvalue()).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/tiny.zip"
    yield folder, {"tiny": PublicSet("a", "free", "me", "page", url, "tiny/u.data", checksum, "tiny/raw/u.data")}
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_set_is_fetched_checked_unpacked_and_kept(publisher, tmp_path):
    folder, sets = publisher
    told = []
    fetched = fetch("tiny", tmp_path / "cache", progress=lambda done, total: told.append((done, total)), sets=sets)
    assert fetched.path == tmp_path / "cache" / "tiny" / "u.data"
    assert fetched.path.read_bytes() == LOG
    assert (fetched.licence, fetched.source) == ("free", sets["tiny"].url)
    assert told[-1][0] == told[-1][1] == (folder / "tiny.zip").stat().st_size
    assert [path.name for path in fetched.path.parent.iterdir()] == ["u.data"]
    (folder / "tiny.zip").unlink()
    assert fetch("tiny", tmp_path / "cache", sets=sets).path.read_bytes() == LOG


def test_a_changed_file_is_refused_and_nothing_stays(publisher, tmp_path):
    folder, sets = publisher
    (folder / "tiny.zip").write_bytes((folder / "tiny.zip").read_bytes() + b"!")
    with pytest.raises(DataError, match="expected sha256"):
        fetch("tiny", tmp_path / "cache", sets=sets)
    assert list((tmp_path / "cache" / "tiny").iterdir()) == []


def test_a_folder_of_prepared_sets_is_used_first_and_checked(publisher, tmp_path):
    _, sets = publisher
    local = tmp_path / "local"
    (local / "tiny" / "raw").mkdir(parents=True)
    (local / "tiny" / "raw" / "u.data").write_bytes(LOG)
    fetched = fetch("tiny", tmp_path / "cache", local=local, sets=sets)
    assert (fetched.path, fetched.source) == (local / "tiny" / "raw" / "u.data", str(local))
    (local / "SHA256SUMS.txt").write_text(f"{hashlib.sha256(LOG).hexdigest()}  tiny/raw/u.data\n")
    fetch("tiny", tmp_path / "cache", local=local, sets=sets)
    (local / "SHA256SUMS.txt").write_text(f"{'0' * 64}  tiny/raw/u.data\n")
    with pytest.raises(DataError, match="expected sha256 000"):
        fetch("tiny", tmp_path / "cache", local=local, sets=sets)


@pytest.mark.parametrize("path", ["/gone.zip", ""])
def test_a_publisher_that_cannot_be_reached_is_named(publisher, tmp_path, path):
    _, sets = publisher
    url = sets["tiny"].url.replace("/tiny.zip", path) if path else "http://127.0.0.1:9/tiny.zip"
    with pytest.raises(RemoteError, match=r"Cannot reach 127\.0\.0\.1") as raised:
        fetch("tiny", tmp_path / "cache", sets={"tiny": PublicSet("a", "b", "c", "d", url)})
    assert url in raised.value.hint


def test_a_folder_that_cannot_be_written_is_named(publisher, tmp_path):
    _, sets = publisher
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(StoreError, match="Cannot write"):
        fetch("tiny", tmp_path / "cache", sets=sets)


def test_unknown_sets_and_sets_for_people_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="no public set 'nope'") as raised:
        fetch("nope", tmp_path)
    assert "ml-100k" in raised.value.hint
    with pytest.raises(DataError, match="gives it to people") as raised:
        fetch("deskdrop", tmp_path)
    assert "https://www.kaggle.com" in raised.value.hint


def test_every_set_says_its_licence_and_has_a_secure_address():
    for known in PUBLIC_SETS.values():
        assert known.licence and known.citation and known.about
        assert known.page.startswith("https://")
        assert not known.url or known.url.startswith("https://")
        assert not known.checksum or known.checksum.split(":")[0] in ("md5", "sha256")


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name, known in PUBLIC_SETS.items() if known.local])
def test_prepared_sets_are_found_and_whole(data_dir, tmp_path, name):
    fetched = fetch(name, tmp_path, local=data_dir)
    assert fetched.path.is_file()
    assert read_table(fetched.path).frame.height > 10_000
