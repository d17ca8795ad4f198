"""Public data sets by name: where they officially are, what their licence says, and one call that brings the log.

In: a name, and a cache folder or a folder that has the sets already. Out: `Fetched`: the path of the file of events.
Only addresses of the publishers are here, and checksums that they (or their users) have confirmed; a set without a
direct address says where a person gets it. Nothing is ever fetched without being asked for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from horae.errors import DataError, RemoteError, StoreError

__all__ = ["PUBLIC_SETS", "Fetched", "Progress", "PublicSet", "fetch"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have come, and how many there will be if the server says."""
BLOCK = 1 << 20
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class PublicSet:
    """One public set.

    Attributes:
        about: What it is, in a line.
        licence: The publisher's terms in short.
        citation: What to cite.
        page: The publisher's page, for people.
        url: The file itself; empty where the publisher wants a person to ask for it.
        member: The file of events inside a zip; empty if the file is not one.
        checksum: `md5:...` or `sha256:...` of the file at `url`; empty where none is confirmed.
        local: The same log inside a folder of prepared sets; empty where that has none.
    """

    about: str
    licence: str
    citation: str
    page: str
    url: str = ""
    member: str = ""
    checksum: str = ""
    local: str = ""


@dataclass(frozen=True)
class Fetched:
    """A log that is there now.

    Attributes:
        path: The file of events.
        licence: To be shown to whoever asked.
        source: The address or folder that it came from.
    """

    path: Path
    licence: str
    source: str


_GROUPLENS = "GroupLens: research use, acknowledge, no redistribution without permission, no commercial use."
_MOVIELENS = "Harper, Konstan: The MovieLens Datasets: History and Context. ACM TiiS 5(4), 2015."
_MOVIELENS_FILES = "https://files.grouplens.org/datasets/movielens"
_AMAZON = "Amazon review data (McAuley lab): research use, cite; no open licence stated, no redistribution."
_AMAZON_PAPER = (
    "McAuley, Targett, Shi, van den Hengel: Image-based recommendations on styles and substitutes. SIGIR 2015."
)
_AMAZON_PAGE = "https://jmcauley.ucsd.edu/data/amazon/"
_AMAZON_FILES = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"

PUBLIC_SETS: Final[Mapping[str, PublicSet]] = {
    "ml-100k": PublicSet(
        "100,000 movie ratings of 943 users, 1997-1998",
        *(_GROUPLENS, _MOVIELENS, "https://grouplens.org/datasets/movielens/100k/", f"{_MOVIELENS_FILES}/ml-100k.zip"),
        *("ml-100k/u.data", "md5:0e33842e24a9c977be4e0107933c0723", "ml-100k/raw/u.data"),
    ),
    "ml-1m": PublicSet(
        "1,000,209 movie ratings of 6,040 users, 2000-2003",
        *(_GROUPLENS, _MOVIELENS, "https://grouplens.org/datasets/movielens/1m/", f"{_MOVIELENS_FILES}/ml-1m.zip"),
        *("ml-1m/ratings.dat", "md5:c4d9eecfca2ab87c1945afe126590906", "ml-1m/interactions.parquet"),
    ),
    "ml-20m": PublicSet(
        "20,000,263 movie ratings of 138,493 users, 1995-2015",
        *(_GROUPLENS, _MOVIELENS, "https://grouplens.org/datasets/movielens/20m/", f"{_MOVIELENS_FILES}/ml-20m.zip"),
        *("ml-20m/ratings.csv", "md5:cd245b17a1ae2cc31bb14903e1204af3"),
    ),
    "ml-25m": PublicSet(
        "25,000,095 movie ratings of 162,541 users, 1995-2019",
        *(_GROUPLENS, _MOVIELENS, "https://grouplens.org/datasets/movielens/25m/", f"{_MOVIELENS_FILES}/ml-25m.zip"),
        *("ml-25m/ratings.csv", "md5:6b51fb2759a8657d3bfcbfc42b592ada"),
    ),
    "amazon-beauty-2014": PublicSet(
        "198,502 beauty reviews of 22,363 users (5-core), whole days",
        *(_AMAZON, _AMAZON_PAPER, _AMAZON_PAGE, f"{_AMAZON_FILES}/reviews_Beauty_5.json.gz"),
        local="amazon-beauty-2014/interactions.parquet",
    ),
    "amazon-musical-instruments-2014": PublicSet(
        "10,261 reviews of musical instruments (5-core) with their texts",
        *(_AMAZON, _AMAZON_PAPER, _AMAZON_PAGE, f"{_AMAZON_FILES}/reviews_Musical_Instruments_5.json.gz"),
        local="amazon-musical-instruments-2014/raw/Musical_Instruments_5.json.gz",
    ),
    "deskdrop": PublicSet(
        "72,312 views, likes, bookmarks, comments and follows of articles inside a company, with sessions",
        "Published as an open database; check the page before any redistribution.",
        "Moreira: Articles sharing and reading from CI&T DeskDrop. Kaggle, 2017.",
        "https://www.kaggle.com/datasets/gspmoreira/articles-sharing-reading-from-cit-deskdrop",
        local="deskdrop/raw/users_interactions.csv.zip",
    ),
    "foursquare-nyc": PublicSet(
        "147,938 check-ins of 1,083 users in New York, 2012-2013",
        "Free for research, cite; no redistribution licence stated.",
        "Yang, Zhang, Zheng, Yu: Modeling user activity preference by leveraging user spatial temporal characteristics"
        " in LBSNs. IEEE TSMC 45(1), 2015.",
        "https://sites.google.com/site/yangdingqi/home/foursquare-dataset",
        local="foursquare-nyc/interactions.parquet",
    ),
    "yoochoose-100k": PublicSet(
        "83,846 clicks of 21,210 anonymous sessions, a sample of RecSys Challenge 2015",
        "CC BY-NC-ND 4.0: no commercial use, no derivatives may be redistributed.",
        "Ben-Shimon et al.: RecSys Challenge 2015 and the YOOCHOOSE dataset. RecSys 2015.",
        "https://recsys.acm.org/recsys15/challenge/",
        local="yoochoose-100k/interactions.parquet",
    ),
    "diginetica-sessions": PublicSet(
        "982,961 clicks of 202,633 anonymous sessions, order only",
        "CIKM Cup 2016: research use, no licence stated.",
        "CIKM Cup 2016 Track 2: personalized e-commerce search challenge.",
        "https://competitions.codalab.org/competitions/11161",
        local="diginetica-sessions/interactions.parquet",
    ),
    "online-retail": PublicSet(
        "541,909 invoice lines of 4,372 customers of a gift shop, 2010-2011",
        "CC BY 4.0.",
        "Chen, Sain, Guo: Data mining for the online retail industry. J. Database Marketing 19(3), 2012.",
        "https://archive.ics.uci.edu/dataset/352/online+retail",
        local="online-retail/interactions.parquet",
    ),
    "cdnow": PublicSet(
        "69,659 purchases of 23,570 customers, values without items, 1997-1998",
        "Free for academic use, cite.",
        "Fader, Hardie: Forecasting repeat sales at CDNOW. Interfaces 31(3), 2001.",
        *("https://www.brucehardie.com/datasets/", "https://www.brucehardie.com/datasets/CDNOW_master.zip"),
        *("CDNOW_master.txt", "", "cdnow/raw/CDNOW_master.txt"),
    ),
}


def fetch(
    name: str,
    folder: str | Path,
    local: str | Path | None = None,
    progress: Progress | None = None,
    sets: Mapping[str, PublicSet] = PUBLIC_SETS,
) -> Fetched:
    """Bring a public set's log.

    Args:
        name: One of `sets`.
        folder: Cache for what is downloaded; a file that is there already is not fetched again.
        local: A folder of prepared sets, looked at first; checked against its `SHA256SUMS.txt` where it has one.
        progress: Told how much has come.
        sets: Known sets.

    Raises:
        DataError: No such set, one that a person must ask for, or a file whose checksum is wrong.
        RemoteError: The publisher could not be reached, or broke off.
        StoreError: The disk refused.
    """
    known = sets.get(name)
    if known is None:
        raise DataError(f"There is no public set {name!r}.", hint=f"Known: {', '.join(sorted(sets))}.")
    if local is not None and known.local and (path := Path(local) / known.local).is_file():
        _check_listed(path, Path(local), known.local)
        return Fetched(path, known.licence, str(local))
    if not known.url:
        raise DataError(
            f"The publisher of {name} gives it to people, not to programs.",
            hint=f"Get it at {known.page}, and read the file you get there.",
        )
    file = Path(known.member or urlsplit(known.url).path).name
    path = Path(folder) / name / file
    if not path.is_file():
        try:
            _download(known, path, progress)
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            host = urlsplit(known.url).netloc
            raise RemoteError(
                f"Cannot reach {host}: {error.reason}.",
                hint=f"Check the network, or download {known.url} yourself and read that file.",
            ) from error
        except (TimeoutError, ConnectionError) as error:
            raise RemoteError(f"The download of {known.url} broke off.", hint="Try again.") from error
        except OSError as error:
            raise StoreError(f"Cannot write {path}: {error.strerror}.", hint="Choose another folder.") from error
    return Fetched(path, known.licence, known.url)


def _download(known: PublicSet, path: Path, progress: Progress | None) -> None:
    """To a temporary file beside it, checked, then renamed: a file under its own name is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as scratch:
        packed = Path(scratch) / "download"
        with urllib.request.urlopen(known.url, timeout=TIMEOUT_SECONDS) as reply, packed.open("wb") as out:
            _copy(reply, out, int(reply.headers.get("Content-Length") or 0) or None, progress)
        if known.checksum:
            _check(packed, known.checksum, known.url)
        whole = _unpack(packed, known.member, Path(scratch)) if known.member else packed
        os.replace(whole, path)


def _copy(reply: IO[bytes], out: IO[bytes], total: int | None, progress: Progress | None) -> None:
    done = 0
    while block := reply.read(BLOCK):
        out.write(block)
        done += len(block)
        if progress is not None:
            progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"got {done} of {total} bytes")


def _unpack(packed: Path, member: str, scratch: Path) -> Path:
    whole = scratch / "unpacked"
    try:
        with zipfile.ZipFile(packed) as archive:
            found = next(name for name in archive.namelist() if name == member or name.endswith(f"/{member}"))
            with archive.open(found) as source, whole.open("wb") as out:
                shutil.copyfileobj(source, out, BLOCK)
    except (zipfile.BadZipFile, StopIteration) as error:
        raise DataError(
            f"The download holds no {member}.", hint="The publisher changed it: fetch it by hand."
        ) from error
    return whole


def _check(path: Path, checksum: str, name: str) -> None:
    method, _, wanted = checksum.partition(":")
    digest = hashlib.new(method, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != wanted:
        raise DataError(
            f"{name}: expected {method} {wanted}, got {digest.hexdigest()}.",
            hint="The file is damaged or was changed; fetch it again, and do not use this one.",
        )


def _check_listed(path: Path, folder: Path, relative: str) -> None:
    """Against the folder's own list of checksums, if it has one and names the file."""
    sums = folder / "SHA256SUMS.txt"
    if not sums.is_file():
        return
    for line in sums.read_text(encoding="utf-8").splitlines():
        wanted, _, name = line.partition(" ")
        if name.strip(" *") == relative:
            _check(path, f"sha256:{wanted}", str(path))
