//! Bare loops that start processes. All `unsafe` of the benchmarks is here.
//!
//! They are the limits: for whatever starts one program after the other, a child that shares the memory of its
//! parent until it executes the program (what `vfork` does, and `posix_spawn` within), as many at once as are
//! allowed, and a wait for any of them; for whatever forks workers, children that do nothing but say that they are
//! there.

use std::env;
use std::ffi::{CString, OsString, c_char};
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::time::{Duration, Instant};
use std::{io, iter, ptr};

use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::wait::{WaitStatus, wait, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Runs a program so many times, at most `at_once` of them at a time, with one argument and the environment of
/// this process. It must not be called while this process has other children that end meanwhile.
///
/// # Panics
///
/// If one cannot be started, or does not exit with 0.
pub fn spawn_and_wait(program: &str, argument: &str, times: u64, at_once: u64) {
    let words = [program, argument].map(|word| text(word.into()));
    let arguments = pointers(&words);
    let environment = env::vars_os().map(|(name, value)| {
        let [mut variable, value] = [name, value].map(OsString::into_vec);
        variable.push(b'=');
        variable.extend(value);
        text(OsString::from_vec(variable))
    });
    let variables: Vec<CString> = environment.collect();
    let environment = pointers(&variables);
    let mut stack = vec![0_u8; 64 * 1024];
    let (mut started, mut ended) = (0, 0);
    while ended < times {
        if started < times && started - ended < at_once {
            let child = Box::new(|| {
                // SAFETY: both lists end with a null pointer and outlive the call. If it returns, the program
                // could not be executed, and `_exit` runs nothing that belongs to the parent.
                unsafe {
                    libc::execve(arguments[0], arguments.as_ptr(), environment.as_ptr());
                    libc::_exit(127)
                }
            });
            let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
            // SAFETY: with CLONE_VFORK this thread stands still until the child has executed the program or is
            // gone, so that the child is alone on the memory that it borrows; its stack is its own, and it only
            // makes two system calls, allocating nothing.
            let pid = unsafe { clone(child, &mut stack, flags, Some(libc::SIGCHLD)) };
            pid.expect("a process can be started");
            started += 1;
        } else {
            let status = wait().expect("there are children");
            assert!(matches!(status, WaitStatus::Exited(_, 0)), "a child ended with {status:?}");
            ended += 1;
        }
    }
}

/// Forks so many processes, each of which writes one byte: how long it takes until all bytes have arrived. Then the
/// processes end.
///
/// # Panics
///
/// If one cannot be started.
pub fn fork_and_hear(times: usize) -> Duration {
    let begin = Instant::now();
    let [(mut hear, say), (end, leave)] =
        [io::pipe(), io::pipe()].map(|pipe| pipe.expect("a pipe can be made"));
    let fork = || {
        // SAFETY: the child only makes four system calls, allocating nothing, and `_exit` runs nothing that
        // belongs to the parent.
        match unsafe { fork() }.expect("a process can be started") {
            ForkResult::Parent { child } => child,
            // SAFETY: as above; the byte is its own.
            ForkResult::Child => unsafe {
                let mut byte = 0_u8;
                libc::close(leave.as_raw_fd());
                libc::write(say.as_raw_fd(), (&raw const byte).cast(), 1);
                libc::read(end.as_raw_fd(), (&raw mut byte).cast(), 1);
                libc::_exit(0)
            },
        }
    };
    let children: Vec<Pid> = iter::repeat_with(fork).take(times).collect();
    hear.read_exact(&mut vec![0; times]).expect("each child writes a byte");
    let took = begin.elapsed();
    drop(leave);
    for child in children {
        waitpid(child, None).expect("it is a child");
    }
    took
}

fn text(text: OsString) -> CString {
    CString::new(text.into_vec()).expect("neither words nor variables have a zero")
}

/// A list as the system wants it: with a null pointer at its end.
fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}
