"""No-ops a second in pools of the standard library of Python: one number for each line read.

A line of standard input names the peer and how many jobs. Says "ready" when the pools are there.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import Pool

WORKERS = 2


def noop(n):
    return n


def main():
    processes = ProcessPoolExecutor(WORKERS)
    threads = ThreadPoolExecutor(WORKERS)
    pool = Pool(WORKERS)

    def submit(executor, jobs):
        futures = [executor.submit(noop, n) for n in range(jobs)]
        assert [future.result() for future in futures] == list(range(jobs))

    def apply_async(jobs):
        results = [pool.apply_async(noop, (n,)) for n in range(jobs)]
        assert [result.get() for result in results] == list(range(jobs))

    peers = {
        "ProcessPoolExecutor.submit": lambda jobs: submit(processes, jobs),
        "ThreadPoolExecutor.submit": lambda jobs: submit(threads, jobs),
        "Pool.apply_async": apply_async,
        "ProcessPoolExecutor.map, chunks of 1024": lambda jobs: list(
            processes.map(noop, range(jobs), chunksize=1024)
        ),
        "Pool.map": lambda jobs: pool.map(noop, range(jobs)),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        name, jobs = line.rstrip("\n").rsplit(" ", 1)
        begin = time.perf_counter()
        peers[name](int(jobs))
        print(int(jobs) / (time.perf_counter() - begin), flush=True)
    processes.shutdown()
    threads.shutdown()
    pool.close()
    pool.join()


if __name__ == "__main__":
    main()
