"""The programs that read and write by the file system."""

import contextlib
import zipfile

import dask
import dask.dataframe
import duckdb
import numpy
import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest
import upath
import zarr
from fsspec.implementations.zip import ZipFileSystem

from material import LONG, MIB

ROWS = 1_000_000


@pytest.fixture
def table():
    return pandas.DataFrame({"hour": [number % 24 for number in range(1000)], "celsius": numpy.arange(1000) / 7})


@pytest.fixture
def url(bucket):
    """What paths of a bucket begin with."""
    return "metadisk://photos/"


def moved(wire):
    """Return how many shards have come over the wire."""
    return len([path for method, path in wire.requests if path.startswith("/shards/")])


@pytest.mark.parametrize("name", ["costs.csv", "costs.csv.gz"])
def test_pandas_reads_and_writes_csv(table, url, options, name):
    table.to_csv(url + name, index=False, storage_options=options)

    pandas.testing.assert_frame_equal(pandas.read_csv(url + name, storage_options=options), table)


def test_pandas_reads_and_writes_parquet(table, url, options):
    table.to_parquet(url + "costs.parquet", storage_options=options)

    pandas.testing.assert_frame_equal(pandas.read_parquet(url + "costs.parquet", storage_options=options), table)


def test_one_column_of_a_parquet_file_moves_few_shards(wire, wired_fs, full):
    columns = 40 if full else 8  # of 8 MB each, that no compression makes smaller
    noise = numpy.random.default_rng(17)
    table = pyarrow.table({"c{0}".format(number): noise.random(ROWS) for number in range(columns)})
    pyarrow.parquet.write_table(table, "photos/noise.parquet", filesystem=wired_fs, compression="none",
                                use_dictionary=False, row_group_size=ROWS)
    assert wired_fs.info("photos/noise.parquet")["size"] > columns * 7.6 * MIB
    del wire.requests[:]

    found = pyarrow.parquet.read_table("photos/noise.parquet", columns=["c3"], filesystem=wired_fs)

    assert found["c3"].equals(table["c3"])
    assert moved(wire) <= 3


def test_pyarrow_reads_and_writes_a_data_set_of_many_files(fs, table):
    pyarrow.dataset.write_dataset(pyarrow.Table.from_pandas(table), "photos/set", format="parquet", filesystem=fs,
                                  partitioning=["hour"], partitioning_flavor="hive")

    found = pyarrow.dataset.dataset("photos/set", filesystem=fs, partitioning="hive")

    assert len(found.files) == 24
    assert found.to_table(filter=pyarrow.dataset.field("hour") == 3).num_rows == sum(table.hour == 3)


def test_duckdb_asks_a_file_and_a_folder(fs, table):
    fs.pipe("photos/costs.csv", table.to_csv(index=False).encode())
    with fs.open("photos/many/a.parquet", "wb") as file:
        table.to_parquet(file)
    fs.cp("photos/many/a.parquet", "photos/many/b.parquet")

    with duckdb.connect() as connection:
        connection.register_filesystem(fs)

        assert connection.sql("select count(*) from 'metadisk://photos/costs.csv'").fetchall() == [(1000,)]
        assert connection.sql("select max(hour), count(*) from 'metadisk://photos/many/*.parquet'").fetchall() == [
            (23, 2000),
        ]
        connection.sql("copy (select 7 as seven) to 'metadisk://photos/seven.csv'")
    assert fs.cat_file("photos/seven.csv") == b"seven\n7\n"


def test_zarr_keeps_an_array_in_a_folder(url, options, fs):
    wanted = numpy.arange(10_000, dtype="int64").reshape(100, 100)
    array = zarr.create_array(url + "array.zarr", shape=wanted.shape, chunks=(30, 30), dtype=wanted.dtype,
                              storage_options=options)
    array[:] = wanted

    again = zarr.open_array(url + "array.zarr", mode="r", storage_options=options)

    assert (again[:] == wanted).all() and (again[42:44, 7] == wanted[42:44, 7]).all()
    assert len(fs.find("photos/array.zarr")) == 17


def test_zarr_keeps_groups_and_replaces_them(url, options):
    for size in (3, 5):
        group = zarr.open_group(url + "group.zarr", mode="w", storage_options=options)
        group.create_array("a/b", data=numpy.ones(size))

    again = zarr.open_group(url + "group.zarr", mode="r", storage_options=options)

    assert again["a/b"].shape == (5,)
    assert [name for name, _ in again.members(max_depth=None)] == ["a", "a/b"]


def test_dask_works_with_two_processes(table, url, options, fs):
    for number in range(4):
        fs.pipe("photos/parts/{0}.csv".format(number), table.to_csv(index=False).encode())

    with dask.config.set(scheduler="processes", num_workers=2):
        frame = dask.dataframe.read_csv(url + "parts/*.csv", storage_options=options)
        assert len(frame) == 4000
        frame.to_parquet(url + "all", storage_options=options)
        again = dask.dataframe.read_parquet(url + "all", storage_options=options)
        assert again.celsius.sum().compute() == pytest.approx(4 * table.celsius.sum())


def test_a_member_of_an_archive_is_read_without_the_rest(wire, wired_fs):
    with wired_fs.open("photos/a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("first", b"content")
        archive.writestr("long", LONG)
        archive.writestr("last", b"the last one")
    del wire.requests[:]

    with wired_fs.open("photos/a.zip") as file, contextlib.closing(ZipFileSystem(file)) as archive:
        assert archive.cat_file("last") == b"the last one"

    assert moved(wire) == 1


def test_a_path_is_one_of_pathlib(url, options):
    folder = upath.UPath(url + "2016", **options)

    (folder / "cat.txt").write_text("a cat")

    assert (folder / "cat.txt").read_text() == "a cat"
    assert [each.name for each in folder.iterdir()] == ["cat.txt"]
    assert [each.name for each in folder.parent.glob("**/*.txt")] == ["cat.txt"]
    (folder / "cat.txt").unlink()
    assert not folder.exists()
