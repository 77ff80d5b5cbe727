//! The bare echo: another process that sends back what it receives over ipc-channel, and nothing else.
//!
//! It is what a job would cost if there were neither a pool nor a codec around the transport.

use std::process::{Child, Command};

use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender};

/// The name of the one-shot server, for the process that is to be the echo.
const SERVER: &str = "BRIGADE_BENCH_ECHO";

/// Both ends that the other process has.
type Far = (IpcBytesReceiver, IpcBytesSender);

/// The other process, and both ends of this one.
#[derive(Debug)]
pub struct Echo {
    child: Child,
    to: Option<IpcBytesSender>,
    from: IpcBytesReceiver,
}

impl Echo {
    /// Starts this very program as the echo; it must call [`serve`] first thing.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn start() -> Self {
        let (server, name) =
            IpcOneShotServer::<IpcSender<Far>>::new().expect("a server can be made");
        let executable = std::env::current_exe().expect("this program has a path");
        let child = Command::new(executable).env(SERVER, name).spawn();
        let child = child.expect("this program can be started");
        let (_, welcome) = server.accept().expect("the echo connects");
        let (to, far_from) = ipc::bytes_channel().expect("a channel can be made");
        let (far_to, from) = ipc::bytes_channel().expect("a channel can be made");
        welcome.send((far_from, far_to)).expect("the echo listens");
        Self { child, to: Some(to), from }
    }

    /// There and back.
    ///
    /// # Panics
    ///
    /// If the echo is gone.
    pub fn trip(&self, bytes: &[u8]) -> Vec<u8> {
        let to = self.to.as_ref().expect("it is open until it is dropped");
        to.send(bytes).expect("the echo listens");
        self.from.recv().expect("the echo answers")
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It ends when its channel does.
        self.to.take();
        let _ = self.child.wait();
    }
}

/// If this process is to be the echo, it is that until the other side closes the channel, and then says so.
///
/// # Panics
///
/// If the other side is gone before it said what to listen to.
pub fn serve() -> bool {
    let Ok(name) = std::env::var(SERVER) else { return false };
    let (welcome, ends) = ipc::channel::<Far>().expect("a channel can be made");
    let server = IpcSender::connect(name).expect("who started it waits");
    server.send(welcome).expect("who started it waits");
    let (from, to) = ends.recv().expect("who started it says where");
    while let Ok(bytes) = from.recv() {
        if to.send(&bytes).is_err() {
            break;
        }
    }
    true
}
