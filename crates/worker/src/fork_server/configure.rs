//! Becoming what the supervisor wishes, before the first worker: niceness, and the initializer, whose
//! memory all workers share until they change it.
//!
//! An initializer is a task like others, run in the fork server itself, so it must leave the process as
//! the fork server needs it: with a single thread. While it runs nobody receives requests, so the
//! supervisor's death would not be seen: the kernel is to end this process then.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use brigade_protocol::message::{Configuration, ConfigurationError, Initializer, Report};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd;

use super::{Failure, Server};
use crate::os::{self, SingleThreaded};
use crate::worker;

/// How often it is looked, 1 ms apart, whether the threads of an initializer are gone: one that was
/// joined is listed a moment longer.
const LOOKS: u32 = 100;

impl Server<'_> {
    /// Becomes what is wished. Only before the first worker, and once.
    pub(super) fn configure(&mut self, configuration: Configuration) -> Result<Report, Failure> {
        if self.configuration.is_some() || !self.family.is_childless() {
            return Err(Failure::Nonsense("a second configuration, or a late one, came".into()));
        }
        if configuration.nice != 0
            && let Err(errno) = os::add_niceness(configuration.nice)
        {
            return Ok(Report::NotConfigured(ConfigurationError::Nice(errno as i32)));
        }
        if let Some(initializer) = &configuration.initializer
            && let Err(error) = self.initialize(initializer)?
        {
            return Ok(Report::NotConfigured(error));
        }
        self.configuration = Some(configuration);
        Ok(Report::Configured)
    }

    fn initialize(
        &mut self,
        initializer: &Initializer,
    ) -> Result<Result<(), ConfigurationError>, Failure> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if unistd::getppid() != self.parent {
            // It died before the death signal was set: nobody is left to tell.
            os::exit_now(1);
        }
        let run = || worker::initialize(self.registry, initializer);
        let result = self.descriptors.set_aside(run)?;
        // As it was. If it dies just now, its death is seen by the next look for a request.
        prctl::set_pdeathsig(Signal::SIGCONT)?;
        // An unfinished line would otherwise be printed by each worker once more.
        let _ = io::stdout().flush();
        if let Err(error) = result {
            return Ok(Err(ConfigurationError::Failed(error)));
        }
        for _ in 0..LOOKS {
            if let Some(alone) = SingleThreaded::check().map_err(Failure::Proc)? {
                self.alone = alone;
                return Ok(Ok(()));
            }
            thread::sleep(Duration::from_millis(1));
        }
        let left = os::threads().map_err(Failure::Proc)?.saturating_sub(1);
        Ok(Err(ConfigurationError::Threads(u32::try_from(left).unwrap_or(u32::MAX))))
    }
}
