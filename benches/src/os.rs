//! The bare loop that starts programs and waits for them. All `unsafe` of the benchmarks is here.
//!
//! It is the limit for whatever starts one program after the other: a child that shares the memory of its
//! parent until it executes the program (what `vfork` does, and `posix_spawn` within), as many at once as are
//! allowed, and a wait for any of them.

use std::env;
use std::ffi::{CString, OsString, c_char};
use std::os::unix::ffi::OsStringExt as _;
use std::ptr;

use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::wait::{WaitStatus, wait};

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

fn text(text: OsString) -> CString {
    CString::new(text.into_vec()).expect("neither words nor variables have a zero")
}

/// A list as the system wants it: with a null pointer at its end.
fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}
