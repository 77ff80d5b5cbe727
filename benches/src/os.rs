//! The bare loop that starts programs and waits for them. All `unsafe` of the benchmarks is here.
//!
//! It is the limit for whatever starts one program after the other: a child that shares the memory of its
//! parent until it executes the program (what `vfork` does, and `posix_spawn` within), as many at once as are
//! allowed, and a wait for any of them.

use std::ffi::CString;

use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::wait::{WaitStatus, wait};

/// Runs a program so many times, at most `at_once` of them at a time. It must not be called while this process
/// has other children that end meanwhile.
///
/// # Panics
///
/// If one cannot be started, or does not exit with 0.
pub fn spawn_and_wait(program: &str, times: u64, at_once: u64) {
    let program = CString::new(program).expect("a path has no zero");
    let arguments = [program.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null()];
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
