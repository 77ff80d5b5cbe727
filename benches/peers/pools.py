"""A pool of Python as a peer: `pools.py POOL WORKERS`.

Says "ready NAME VERSION", or "missing WHY". Then it answers each line of standard input with one line of
numbers; times are in seconds. A LENGTH is how far a job counts, 0 is a no-op.

    submit LENGTH JOBS           one by one, each with a future of its own, all of them awaited
    map LENGTH JOBS CHUNK        in order; CHUNK 0 is the pool's own choice
    unordered LENGTH JOBS CHUNK  as they come
    calibrate LENGTH             all workers at once: how far one counts in a microsecond
    trips JOBS                   one at a time: the time of each
    echo BYTES                   bytes there and back
    start NAP                    another pool: until its first result, until each worker has answered
    pids                         of all workers
    recover                      another pool of one: from the kill of its worker to its next result
    fetch URL JOBS               HTTP requests, each answered with "ok"
"""

import os
import platform
import signal
import sys
import time
import urllib.request
from itertools import repeat
from time import perf_counter


def noop(n):
    return n


def count(length):
    # The same object each time: other numbers take longer, the larger they are.
    return sum(repeat(1, length))


def echo(data):
    return data


def nap(seconds):
    time.sleep(seconds)
    return os.getpid()


def sleep_here(path, seconds):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(seconds)


def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read() == b"ok"


class Executor:
    """What has the interface of `concurrent.futures.Executor`."""

    def __init__(self, make, workers):
        self.make, self.workers = make, workers
        self.pool = make(workers)

    def submit(self, function, inputs):
        futures = [self.pool.submit(function, each) for each in inputs]
        return [future.result() for future in futures]

    def map(self, function, inputs, chunk):
        return list(self.pool.map(function, inputs, chunksize=chunk or 1))

    def again(self, workers):
        return Executor(self.make, workers)

    def send(self, function, *arguments):
        return self.pool.submit(function, *arguments)

    def close(self):
        self.pool.shutdown()


class Multiprocessing:
    """`multiprocessing.Pool`."""

    def __init__(self, workers):
        from multiprocessing import Pool

        self.workers = workers
        self.pool = Pool(workers)

    def submit(self, function, inputs):
        results = [self.pool.apply_async(function, (each,)) for each in inputs]
        return [result.get() for result in results]

    def map(self, function, inputs, chunk):
        return self.pool.map(function, inputs, chunksize=chunk or None)

    def unordered(self, function, inputs, chunk):
        return sorted(self.pool.imap_unordered(function, inputs, chunksize=chunk or 1))

    def again(self, workers):
        return Multiprocessing(workers)

    def send(self, function, *arguments):
        return self.pool.apply_async(function, arguments)

    def close(self):
        self.pool.close()
        self.pool.join()


class Joblib:
    """`joblib.Parallel`, which has no futures and chooses its batches by itself."""

    def __init__(self, workers):
        import joblib

        self.workers = workers
        self.delayed = joblib.delayed
        self.pool = joblib.Parallel(n_jobs=workers)
        self.pool.__enter__()

    def map(self, function, inputs, chunk):
        return self.pool(self.delayed(function)(each) for each in inputs)

    def close(self):
        self.pool.__exit__(None, None, None)


def make(name, workers):
    """The pool, what it is called, and its version."""
    python = "Python " + platform.python_version()
    if name == "executor":
        from concurrent.futures import ProcessPoolExecutor

        return Executor(ProcessPoolExecutor, workers), python
    if name == "threads":
        from concurrent.futures import ThreadPoolExecutor

        return Executor(ThreadPoolExecutor, workers), python
    if name == "pool":
        return Multiprocessing(workers), python
    if name == "joblib":
        import joblib

        return Joblib(workers), "joblib " + joblib.__version__
    if name == "loky":
        import loky

        return Executor(loky.ProcessPoolExecutor, workers), "loky " + loky.__version__
    raise ValueError(f"no such pool: {name}")


def jobs_of(length, jobs):
    """The function, its inputs, and what must come out, sorted and not."""
    length, jobs = int(length), int(jobs)
    if length == 0:
        return noop, range(jobs), list(range(jobs))
    return count, [length] * jobs, [length] * jobs


def timed(run, expected):
    begin = perf_counter()
    found = run()
    took = perf_counter() - begin
    assert found == expected, "a result is wrong"
    return [took]


class Peer:
    """One method for each request."""

    def __init__(self, pool):
        self.pool = pool

    def submit(self, length, jobs):
        function, inputs, expected = jobs_of(length, jobs)
        return timed(lambda: self.pool.submit(function, inputs), expected)

    def map(self, length, jobs, chunk):
        function, inputs, expected = jobs_of(length, jobs)
        return timed(lambda: self.pool.map(function, inputs, int(chunk)), expected)

    def unordered(self, length, jobs, chunk):
        function, inputs, expected = jobs_of(length, jobs)
        return timed(lambda: self.pool.unordered(function, inputs, int(chunk)), expected)

    def calibrate(self, length):
        [took] = self.map(length, self.pool.workers, 1)
        # Threads share one interpreter: there is one at a time.
        shares = self.pool.workers if "ThreadPool" in repr(self.pool.pool) else 1
        return [int(length) * shares / took / 1e6]

    def trips(self, jobs):
        def trip(n):
            begin = perf_counter()
            assert self.pool.submit(noop, [n]) == [n]
            return perf_counter() - begin

        return [trip(n) for n in range(int(jobs))]

    def echo(self, size):
        data = bytes(int(size))
        return timed(lambda: self.pool.submit(echo, [data]), [data])

    def start(self, seconds):
        workers = self.pool.workers
        begin = perf_counter()
        pool = self.pool.again(workers)
        assert pool.submit(noop, [7]) == [7]
        first = perf_counter() - begin
        pool.close()
        seconds = float(seconds)
        while True:
            begin = perf_counter()
            pool = self.pool.again(workers)
            found = pool.submit(nap, [seconds] * workers)
            every = perf_counter() - begin - seconds
            pool.close()
            if len(set(found)) == workers:
                return [first, every]
            # Somebody answered twice: the nap is too short.
            seconds *= 2

    def pids(self):
        seconds = 0.5
        while True:
            found = set(self.pool.submit(nap, [seconds] * self.pool.workers))
            if len(found) == self.pool.workers:
                return sorted(found)
            seconds *= 2

    def recover(self):
        from tempfile import TemporaryDirectory

        pool = self.pool.again(1)
        with TemporaryDirectory() as folder:
            path = os.path.join(folder, "pid")
            future = pool.send(sleep_here, path, 60)
            while not (os.path.exists(path) and os.path.getsize(path)):
                time.sleep(0.001)
            pid = int(open(path).read())
        begin = perf_counter()
        os.kill(pid, signal.SIGKILL)
        if isinstance(pool, Executor):
            # The pool is broken as a whole; what its users can do is to make another.
            assert future.exception() is not None
            pool.close()
            pool = self.pool.again(1)
        assert pool.submit(noop, [7]) == [7]
        took = perf_counter() - begin
        if isinstance(pool, Multiprocessing):
            # It waits for ever for the job that was lost.
            pool.pool.terminate()
        else:
            pool.close()
        return [took]

    def fetch(self, url, jobs):
        return timed(lambda: self.pool.submit(fetch, [url] * int(jobs)), [True] * int(jobs))


def main():
    name, workers = sys.argv[1:]
    try:
        pool, version = make(name, int(workers))
    except ImportError as error:
        print(f"missing {error}", flush=True)
        return
    print(f"ready {version}", flush=True)
    peer = Peer(pool)
    for line in sys.stdin:
        request, *arguments = line.split()
        print(*getattr(peer, request)(*arguments), flush=True)
    pool.close()


if __name__ == "__main__":
    main()
