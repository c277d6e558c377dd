"""A search engine for source code: an index of all words of a directory, built in parallel, kept by actors, asked by other processes.

    code_search.py build [--shards N] [DIR]   index all files below DIR (default: .); starts a cluster if none runs
    code_search.py query WORD...              how often, in how many files, the best files
    code_search.py stop                       forget the index; end the cluster that build has started

It says `import ray`: `python code_search.py ...` runs it on Ray, `python -m manta.as_ray code_search.py ...` on Manta. A word is a maximal
run of [A-Za-z0-9_]; the counts are those of `LC_ALL=C grep -raow -- WORD DIR | wc -l`, in binary files, too.

Tasks read groups of files and sort what they find by the shard that it belongs to (map), objects carry that through shared memory
(shuffle), and detached actors merge it and keep the result (reduce). The driver holds references, and never sees a word.
"""

import argparse
import array
import collections
import os
import re
import stat
import subprocess
import sys
import time
import zlib

import numpy as np
import ray

NAMESPACE = "code_search"
DIRECTORY = "directory"
WORD = re.compile(rb"[A-Za-z0-9_]+")
GROUP_BYTES = 8_000_000
GROUP_FILES = 4000
BEST = 10


class UserError(Exception):
    """Told without a traceback."""


# ---- Map


def shard_of(word, shards):
    """Each shard has a range of hashes; they are the same in every process."""
    return zlib.crc32(word) * shards >> 32


@ray.remote
def map_files(paths, first, shards):
    """One result for each shard: its words, and where they are. The files are numbered from `first` on."""
    found = collections.defaultdict(lambda: ([], []))  # word: numbers of files, occurrences in each
    totals = {"files": 0, "bytes": 0, "words": 0, "unreadable": 0, "first_error": None}
    for number, path in enumerate(paths, first):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            totals["unreadable"] += 1
            totals["first_error"] = totals["first_error"] or str(error)
            continue
        words = WORD.findall(content)
        totals["files"] += 1
        totals["bytes"] += len(content)
        totals["words"] += len(words)
        for word, occurrences in collections.Counter(words).items():
            files, counts = found[word]
            files.append(number)
            counts.append(occurrences)
    results = [MapOutput() for _ in range(shards)]
    for word, (files, counts) in found.items():
        results[shard_of(word, shards)].add(word, files, counts)
    packed = [result.packed() for result in results]
    packed[0]["totals"] = totals  # it travels with one of them
    return packed if shards > 1 else packed[0]


class MapOutput:
    """What one task has found for one shard."""

    def __init__(self):
        self.words = []
        self.files = array.array("I")
        self.counts = array.array("I")
        self.ends = array.array("I")  # of each word's part of the two

    def add(self, word, files, counts):
        self.words.append(word)
        self.files.extend(files)
        self.counts.extend(counts)
        self.ends.append(len(self.files))

    def packed(self):
        """A few large buffers, which travel without being taken apart."""
        return {"words": np.frombuffer(b"\n".join(self.words), np.uint8), "files": np.array(self.files, np.uint32),
                "counts": np.array(self.counts, np.uint32), "ends": np.array(self.ends, np.uint32)}


# ---- Reduce


@ray.remote(num_cpus=0)
class Shard:
    """The words of one range of hashes."""

    def __init__(self):
        self.chunks = []  # (numbers of files, occurrences) of each map output
        self.places = {}  # word: chunk, begin, end, chunk, begin, end ...

    def merge(self, output):
        """What it keeps it copies: then the output's shared memory is free for the next."""
        ends = output["ends"].tolist()
        if ends:
            chunk, begin = len(self.chunks), 0
            self.chunks.append((output["files"].copy(), output["counts"].copy()))
            for word, end in zip(output["words"].tobytes().split(b"\n"), ends):
                places = self.places.get(word)
                if places is None:
                    places = self.places[word] = array.array("I")
                places.extend((chunk, begin, end))
                begin = end
        return output.get("totals")

    def num_words(self):
        return len(self.places)

    def find(self, word, best):
        """(occurrences, files, [(occurrences, number of a file) of the best])"""
        places = self.places.get(word.encode(), ())
        parts = [(self.chunks[c][0][b:e], self.chunks[c][1][b:e]) for c, b, e in zip(places[0::3], places[1::3], places[2::3])]
        if not parts:
            return 0, 0, []
        files, counts = (np.concatenate(columns) for columns in zip(*parts))
        order = np.lexsort((files, -counts.astype(np.int64)))[:best]
        return int(counts.sum(dtype=np.uint64)), len(files), [(int(counts[i]), int(files[i])) for i in order]


@ray.remote(num_cpus=0)
class Directory:
    """Which index is the current one. A new one is built beside it, under a new generation."""

    def __init__(self, own_cluster):
        self.own_cluster = own_cluster
        self.generation = 0
        self.current = None
        self.paths = []
        self.unfinished = {}  # generation: (index, pid of its builder)
        if ray.get_runtime_context().was_current_actor_reconstructed:  # after a crash: what it knew of indices is lost
            orphans = [name for name in ray.util.list_named_actors() if name.startswith("shard-")]
            remove_shards({"shards": orphans})
            self.generation = max((int(name.split("-")[1]) for name in orphans), default=0)

    def begin(self, root, shards, builder):
        self.generation += 1
        index = {"root": root, "shards": [f"shard-{self.generation}-{i}" for i in range(shards)], "generation": self.generation}
        self.unfinished[self.generation] = index, builder
        return index

    def abandon(self, generation):
        self.unfinished.pop(generation, None)

    def take_abandoned(self):
        """Indices whose builders have died."""
        dead = [generation for generation, (_, pid) in self.unfinished.items() if not os.path.exists(f"/proc/{pid}")]
        return [self.unfinished.pop(generation)[0] for generation in dead]

    def publish(self, index, paths):
        """The index that it replaces, or None."""
        former, self.current, self.paths = self.current, index, paths
        self.unfinished.pop(index["generation"], None)
        return former

    def look_up(self):
        return self.current

    def paths_of(self, numbers):
        return [self.paths[number] for number in numbers]

    def everything(self):
        """(all indices, whether `build` has started the cluster)"""
        return [*filter(None, [self.current]), *(index for index, _ in self.unfinished.values())], self.own_cluster


def remove_shards(index):
    for name in index["shards"] if index else ():
        try:
            ray.kill(ray.get_actor(name))
        except ValueError:
            pass  # it never was, or is gone


# ---- The driver


def files_below(root):
    """(path, bytes) of every file, in the order of names; links are not followed."""
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        yield None, str(error)
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry.path, entry.stat(follow_symlinks=False).st_size


def groups_of(root, totals):
    """Lists of paths with some megabytes together, and how many bytes."""
    paths, size = [], 0
    for path, more in files_below(root):
        if path is None:
            totals["unreadable"] += 1
            totals["first_error"] = totals["first_error"] or more
            continue
        paths.append(path)
        size += more
        if size >= GROUP_BYTES or len(paths) >= GROUP_FILES:
            yield paths, size
            paths, size = [], 0
    if paths:
        yield paths, size


class Progress:
    """On stderr: in one line of a terminal, or a line every two seconds."""

    def __init__(self):
        self.on_terminal = sys.stderr.isatty()
        self.began = time.monotonic()
        self.next = self.began + (0.2 if self.on_terminal else 2)

    def update(self, done, submitted, all_found):
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + (0.2 if self.on_terminal else 2)
        text = f"{done / 1e6:,.0f} of {submitted / 1e6:,.0f} MB{'' if all_found else ' found so far'}, " \
               f"{done / 1e6 / (now - self.began):,.0f} MB/s"
        if self.on_terminal:
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
        else:
            print(f"code_search: {text}", file=sys.stderr, flush=True)

    def close(self):
        if self.on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def index_files(root, shards, most_steps):
    """Maps, shuffles and reduces; at most so many groups at a time, which bounds the memory in use between tasks and actors."""
    totals = {"files": 0, "bytes": 0, "words": 0, "unreadable": 0, "first_error": None}
    all_paths, steps, progress = [], collections.deque(), Progress()
    groups = groups_of(root, totals)
    submitted = done = 0
    more = True
    while more or steps:
        while more and len(steps) < most_steps:
            paths, size = next(groups, (None, 0))
            more = paths is not None
            if more:
                outputs = map_files.options(num_returns=len(shards)).remote(paths, len(all_paths), len(shards))
                # Each call waits for its argument. The calls of a process run in order, whichever task ends first.
                merged = [shard.merge.remote(output) for shard, output in zip(shards, outputs if len(shards) > 1 else [outputs])]
                steps.append((size, merged))
                all_paths += paths
                submitted += size
        if steps:
            size, merged = steps[0]
            if len(ray.wait(merged, num_returns=len(merged), timeout=0.1)[0]) == len(merged):
                steps.popleft()
                done += size
                for part in filter(None, ray.get(merged)):
                    for name in ("files", "bytes", "words", "unreadable"):
                        totals[name] += part[name]
                    totals["first_error"] = totals["first_error"] or part["first_error"]
        progress.update(done, submitted, not more)
    progress.close()
    return totals, all_paths


def build(root, num_shards):
    root = os.path.abspath(root)
    if not stat.S_ISDIR(os.stat(root).st_mode):
        raise UserError(f"{root} is no directory")
    own_cluster = join_or_start_cluster()
    try:
        build_in_cluster(root, num_shards, own_cluster)
    except BaseException:  # Ctrl-C, too
        if own_cluster:  # without an index it is of no use
            stop_cluster()
        raise


def build_in_cluster(root, num_shards, own_cluster):
    began = time.monotonic()
    cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
    options = {"name": DIRECTORY, "lifetime": "detached", "get_if_exists": True, "max_restarts": -1, "max_task_retries": -1}
    directory = Directory.options(**options).remote(own_cluster)
    for index in ray.get(directory.take_abandoned.remote()):
        remove_shards(index)
    index = ray.get(directory.begin.remote(root, num_shards or cpus, os.getpid()))
    print(f"Indexing {root}", flush=True)
    try:
        shards = [Shard.options(name=name, lifetime="detached").remote() for name in index["shards"]]
        totals, paths = index_files(root, shards, max(8, 4 * cpus))
        distinct = sum(ray.get([shard.num_words.remote() for shard in shards]))
    except BaseException:  # the index that was there before is still there
        remove_shards(index)
        ray.get(directory.abandon.remote(index["generation"]))
        raise
    remove_shards(ray.get(directory.publish.remote(index, paths)))
    seconds = time.monotonic() - began
    figures = [("files", f"{totals['files']:,}"), ("bytes", f"{totals['bytes']:,}"), ("words", f"{totals['words']:,}"),
               ("distinct words", f"{distinct:,}"), ("seconds", f"{seconds:.2f}"), ("MB/s", f"{totals['bytes'] / 1e6 / seconds:.0f}")]
    if totals["unreadable"]:
        figures.append(("not readable", f"{totals['unreadable']:,}, left out; the first: {totals['first_error']}"))
    for name, value in figures:
        print(f"{name:15} {value}")


def query(words):
    for word in words:
        if not WORD.fullmatch(word.encode()):
            raise UserError(f"'{word}' is no word: only letters, digits and _ are indexed")
    directory = find_directory()
    index = directory and ray.get(directory.look_up.remote())
    if not index:
        raise UserError("there is no index yet: `code_search.py build DIR` makes one")
    # All calls first, so that the shards look at the same time.
    try:
        calls = [ray.get_actor(index["shards"][shard_of(word.encode(), len(index["shards"]))]).find.remote(word, BEST) for word in words]
        answers = ray.get(calls)
    except (ValueError, ray.exceptions.RayActorError) as error:
        raise UserError(f"the index has lost a shard: build it again ({error})") from None
    for word, (occurrences, files, best) in zip(words, answers):
        print(f"{word}: {occurrences:,} occurrence{'s' * (occurrences != 1)} in {files:,} file{'s' * (files != 1)}")
        for (count, _), path in zip(best, ray.get(directory.paths_of.remote([number for _, number in best]))):
            print(f"{count:10,}  {path}")
        if files > len(best):
            print(f"{'':12}and {files - len(best):,} more")


def stop():
    directory = find_directory()
    if not directory:
        print("There is no index, nothing to stop.")
        return
    indices, own_cluster = ray.get(directory.everything.remote())
    for index in indices:
        remove_shards(index)
    ray.kill(directory)
    print("The index is gone.")
    if own_cluster:
        stop_cluster()
        print("The cluster that build had started has ended.")


# ---- The cluster


def cluster_command():
    """What starts and ends clusters: the command of the package that `import ray` has given."""
    if ray.__name__ == "ray":
        return [os.path.join(os.path.dirname(sys.executable), "ray")]
    from manta import _command

    return [_command.executable()]


def join_cluster():
    try:
        ray.init(address="auto", namespace=NAMESPACE)
        return True
    except ConnectionError:
        return False


def join_or_start_cluster():
    """Whether it had to be started."""
    if join_cluster():
        return False
    started = subprocess.run([*cluster_command(), "start", "--head"], capture_output=True, text=True)
    if started.returncode != 0:
        raise UserError(f"no cluster runs, and none could be started: {started.stderr.strip() or started.stdout.strip()}")
    if not join_cluster():
        raise UserError("the cluster that was started cannot be joined")
    print("Started a cluster", flush=True)
    return True


def stop_cluster():
    ray.shutdown()
    subprocess.run([*cluster_command(), "stop"], check=True, stdout=subprocess.DEVNULL)


def find_directory():
    try:
        return ray.get_actor(DIRECTORY) if join_cluster() else None
    except ValueError:
        return None


def main(arguments):
    parser = argparse.ArgumentParser(prog="code_search.py", description="An index of all words of a directory, in a cluster.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("build", help="index all files below a directory; starts a cluster if none runs")
    verb.add_argument("--shards", type=int, default=0, help="actors that hold the index (default: one for each CPU)")
    verb.add_argument("directory", nargs="?", default=".")
    verbs.add_parser("query", help="how often, in how many files, the best files").add_argument("words", nargs="+", metavar="WORD")
    verbs.add_parser("stop", help="forget the index; end the cluster that build has started")
    options = parser.parse_args(arguments)
    if options.verb == "build" and not 0 <= options.shards <= 255:
        parser.error(f"--shards: from 1 to 255, not {options.shards}")
    try:
        if options.verb == "build":
            build(options.directory, options.shards)
        elif options.verb == "query":
            query(options.words)
        else:
            stop()
    except (UserError, OSError) as error:
        print(f"code_search: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("code_search: interrupted; an index that was there before is still there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
