//! Threads whose system calls are refused, as in a sandbox: seccomp filters hold for the thread that sets
//! them, and for what it starts.

use std::thread;

use nix::libc::{self, c_long, c_ulong, sock_filter, sock_fprog};

/// A system call that fails with an error.
#[derive(Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) call: c_long,
    /// Only with one of these bits in its first argument; 0: in any case.
    pub(crate) flags: u32,
    pub(crate) errno: i32,
}

/// Runs this in a thread to which these calls are refused.
pub(crate) fn without<T: Send>(refused: &[Refused], act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter(refused);
            act()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

const CALL: u32 = 0;
/// The lower half of the first argument.
const FIRST: u32 = 16;

fn enter(refused: &[Refused]) {
    let (load, equal, any, give) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    let step = |code: u32, jf: u8, k: u32| sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: 0,
        jf,
        k,
    };
    let mut program = Vec::new();
    for Refused { call, flags, errno } in refused {
        let error = libc::SECCOMP_RET_ERRNO | u32::try_from(*errno).unwrap();
        let call = u32::try_from(*call).unwrap();
        program.push(step(load, 0, CALL));
        if *flags == 0 {
            program.extend([step(equal, 1, call), step(give, 0, error)]);
        } else {
            program.extend([step(equal, 3, call), step(load, 0, FIRST)]);
            program.extend([step(any, 1, *flags), step(give, 0, error)]);
        }
    }
    program.push(step(give, 0, libc::SECCOMP_RET_ALLOW));
    let program =
        sock_fprog { len: u16::try_from(program.len()).unwrap(), filter: program.as_mut_ptr() };
    let (on, mode) = (1 as c_ulong, c_ulong::from(libc::SECCOMP_MODE_FILTER));
    // SAFETY: the program and what it points to live until the call is over, which copies them.
    let entered = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) == 0
    };
    assert!(entered, "{}", std::io::Error::last_os_error());
}
