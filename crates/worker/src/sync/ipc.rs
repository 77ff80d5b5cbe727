//! A channel of bytes for models, in place of ipc-channel's, of which loom knows nothing.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use brigade_protocol::ipc_channel::{IpcError, ipc};
use loom::sync::{Condvar, Mutex};

#[derive(Default)]
struct Channel {
    packets: Mutex<VecDeque<Vec<u8>>>,
    sent: Condvar,
}

pub(crate) struct IpcBytesSender(Arc<Channel>);

pub(crate) struct IpcBytesReceiver(Arc<Channel>);

pub(crate) fn channel() -> (IpcBytesSender, IpcBytesReceiver) {
    let channel = Arc::default();
    (IpcBytesSender(Arc::clone(&channel)), IpcBytesReceiver(channel))
}

impl IpcBytesSender {
    pub(crate) fn send(&self, packet: &[u8]) -> Result<(), io::Error> {
        self.0.packets.lock().unwrap().push_back(packet.to_vec());
        self.0.sent.notify_one();
        Ok(())
    }
}

impl IpcBytesReceiver {
    /// No sender of a model is dropped while somebody receives.
    pub(crate) fn recv(&self) -> Result<Vec<u8>, IpcError> {
        let mut packets = self.0.packets.lock().unwrap();
        loop {
            if let Some(packet) = packets.pop_front() {
                return Ok(packet);
            }
            packets = self.0.sent.wait(packets).unwrap();
        }
    }

    /// What has come.
    pub(crate) fn drain(&self) -> VecDeque<Vec<u8>> {
        std::mem::take(&mut *self.0.packets.lock().unwrap())
    }
}

impl From<ipc::IpcBytesSender> for IpcBytesSender {
    fn from(_: ipc::IpcBytesSender) -> Self {
        unreachable!("no model has another process")
    }
}

impl From<ipc::IpcBytesReceiver> for IpcBytesReceiver {
    fn from(_: ipc::IpcBytesReceiver) -> Self {
        unreachable!("no model has another process")
    }
}
