//! What goes wrong in a world, and what simply happens there, each at its time.

use super::super::clock::{NEVER, SECOND, Time};
use super::super::home::Home;
use super::super::oracle::{Violation, ids_on};
use super::super::plan::{Plan, around};
use super::super::process::Process;
use super::super::replica::Replica;
use super::World;
use crate::buffer::simulated::Faults;

/// The mean time between two writes when the faults are over, where some must come.
const CALM_WRITE: Time = 10 * SECOND;

/// What happens to the world, and when next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    write: Time,
    compact: Time,
    end: Time,
    restore: Time,
    outage: Time,
    disk_mended: Time,
    roll: Time,
    fault: Time,
    damage: Time,
    swap: Time,
}

impl Calendar {
    pub(super) fn new(plan: &Plan, now: Time, random: &mut fastrand::Rng) -> Calendar {
        let mut later = |mean: Option<Time>| mean.map_or(NEVER, |mean| now + around(mean, random));
        Calendar {
            write: later(Some(plan.write_every)),
            compact: later(Some(plan.compact_every)),
            end: later(plan.end_every),
            restore: later(plan.restore_every),
            outage: later(Some(plan.outage_every)),
            disk_mended: NEVER,
            roll: later(plan.roll_every),
            fault: later(plan.fault_every),
            damage: later(plan.damage_every),
            swap: later(plan.swap_every),
        }
    }

    /// An event is written then.
    pub(super) fn write_at(&mut self, time: Time) {
        self.write = time;
    }

    pub(super) fn next(&self) -> Time {
        let Calendar {
            write,
            compact,
            end,
            restore,
            outage,
            disk_mended,
            roll,
            fault,
            damage,
            swap,
        } = *self;
        let all = [write, compact, end, restore, outage, disk_mended, roll, fault, damage, swap];
        all.into_iter().min().unwrap_or(NEVER)
    }
}

/// Nothing happens any more.
impl Default for Calendar {
    fn default() -> Calendar {
        Calendar {
            write: NEVER,
            compact: NEVER,
            end: NEVER,
            restore: NEVER,
            outage: NEVER,
            disk_mended: NEVER,
            roll: NEVER,
            fault: NEVER,
            damage: NEVER,
            swap: NEVER,
        }
    }
}

impl World<'_> {
    /// What is due happens.
    pub(super) fn happen(&mut self) -> Result<(), Violation> {
        let now = self.shared.now;
        let random = &mut self.random;
        let shared = &mut self.shared;
        if self.calendar.write <= now {
            let every = if shared.server.is_calm { CALM_WRITE } else { self.plan.write_every };
            self.calendar.write = now + around(every, random);
            shared.server.write(now);
            shared.oracle.learn(&shared.server);
        } else if self.calendar.compact <= now {
            self.calendar.compact = now + around(self.plan.compact_every, random);
            shared.server.compact();
        } else if self.calendar.restore <= now {
            self.calendar.restore = NEVER;
            shared.server.restore(now);
            shared.trace.say(now, || format!("restored at {}", shared.server.revision));
            shared.oracle.restored(&shared.server);
            shared.leases.restored(&shared.server);
        } else if self.calendar.roll <= now {
            let mean = self.plan.roll_every.unwrap_or(NEVER);
            self.calendar.roll = now + around(mean, random);
            shared.os.roll_over();
            shared.trace.say(now, || format!("rolled over to {}", shared.os.generation));
        } else if self.calendar.disk_mended <= now {
            self.calendar.disk_mended = NEVER;
            self.replicas
                .iter()
                .for_each(|replica| replica.home.disk.set_faults(Faults::default()));
        } else if self.calendar.fault <= now {
            let mean = self.plan.fault_every.unwrap_or(NEVER);
            self.calendar.fault = now + around(mean, random);
            self.fault();
        } else if self.calendar.damage <= now {
            let mean = self.plan.damage_every.unwrap_or(NEVER);
            self.calendar.damage = now + around(mean, random);
            self.damage();
        } else if self.calendar.swap <= now {
            let mean = self.plan.swap_every.unwrap_or(NEVER);
            self.calendar.swap = now + around(mean, random);
            self.swap();
        } else if self.calendar.outage <= now {
            self.calendar.outage = now + around(self.plan.outage_every, random);
            self.outage();
        } else {
            let mean = self.plan.end_every.unwrap_or(NEVER);
            self.calendar.end = now + around(mean, random);
            return self.end_process();
        }
        Ok(())
    }

    fn outage(&mut self) {
        let (random, shared) = (&mut self.random, &mut self.shared);
        let until = shared.now + random.u64(..self.plan.outage_longest);
        match random.u8(..6) {
            0 => shared.server.down_until = until,
            1 | 2 if self.plan.has_bad_template => {
                shared.os.bad_template_until = until;
                shared.os.bad_templates += 1;
            }
            1..=3 => shared.os.down_until = until,
            _ => {
                let which =
                    if self.replicas.len() > 1 { random.usize(..self.replicas.len()) } else { 0 };
                let disk = &self.replicas[which].home.disk;
                let faults = match random.u8(..3) {
                    0 => Faults {
                        capacity: Some(disk.bytes() + random.u64(..5_000)),
                        ..Faults::default()
                    },
                    1 => Faults { syncs: random.u32(1..20), ..Faults::default() },
                    _ => Faults { reads: random.u32(1..20), ..Faults::default() },
                };
                disk.set_faults(faults);
                self.calendar.disk_mended = until;
            }
        }
    }

    /// One machine, most often the one whose process leads, cannot reach the API server for a
    /// while, or stands still.
    fn fault(&mut self) {
        let (random, now) = (&mut self.random, self.shared.now);
        let longest = self.plan.lease.unwrap_or(SECOND) * 2;
        let leads = |replica: &Replica| replica.process.as_ref().is_some_and(Process::reads);
        let which = match self.replicas.iter().position(leads) {
            Some(leader) if random.u8(..3) > 0 => leader,
            _ => random.usize(..self.replicas.len()),
        };
        let (until, is_cut) = (now + random.u64(..longest), random.bool());
        if let Some(process) = &mut self.replicas[which].process {
            let what = if is_cut { "is cut off" } else { "stands still" };
            let life = process.life;
            self.shared
                .trace
                .say(now, || format!("life {life} {what} for {} ms", (until - now) / 1_000));
            if is_cut { process.cut(until) } else { process.pause(until) }
        }
    }

    /// The stages are others from now on. A process that lives takes them up while it runs, and one
    /// that begins later begins with them.
    fn swap(&mut self) {
        self.swaps += 1;
        let shared = &mut self.shared;
        shared.rules.keeps_all = !shared.rules.keeps_all;
        shared.trace.say(shared.now, || format!("the stages are {:?} now", shared.rules));
        for process in self.replicas.iter().filter_map(|replica| replica.process.as_ref()) {
            process.swap(shared.rules);
        }
    }

    /// A byte of a file is not what it was, whether or not a process uses it.
    fn damage(&mut self) {
        let (random, shared) = (&mut self.random, &mut self.shared);
        let machine = random.usize(..self.replicas.len());
        let disk = &self.replicas[machine].home.disk;
        // Most often where documents are.
        let is_any = random.u8(..4) == 0;
        let is_hit = |name: &str| is_any || name.ends_with(".segment");
        let files =
            disk.contents().into_iter().filter(|(name, bytes)| is_hit(name) && !bytes.is_empty());
        let files: Vec<(String, Vec<u8>)> = files.collect();
        let Some((name, bytes)) = (!files.is_empty()).then(|| &files[random.usize(..files.len())])
        else {
            return;
        };
        let (at, mask) = (random.usize(..bytes.len()), random.u8(1..));
        let before = ids_on(&disk.copy());
        disk.damage(name, |bytes| bytes[at] ^= mask);
        // Without power, fewer may be known to have been durable, and what is damaged among the
        // others is taken for torn.
        let (now, durable) = (ids_on(&disk.copy()), ids_on(&disk.durable_copy()));
        let is_last = before.starts_with(&now) || before.starts_with(&durable);
        let is_lost = |id: &&String| !(now.contains(id) && durable.contains(id));
        let lost = before.iter().filter(is_lost).cloned().collect();
        shared.trace.say(shared.now, || {
            format!("byte {at} of {name} is damaged: {lost:?}, the last: {is_last}")
        });
        shared.oracle.damaged(machine, &lost, is_last.then_some(before));
    }

    /// A process is killed, its machine loses power, or it is told to stop.
    fn end_process(&mut self) -> Result<(), Violation> {
        let which =
            if self.replicas.len() > 1 { self.random.usize(..self.replicas.len()) } else { 0 };
        let Some(mut process) = self.replicas[which].process.take() else { return Ok(()) };
        let shared = &mut self.shared;
        let how = self.random.u8(..4);
        shared.trace.say(shared.now, || format!("life {} ends: {how}", process.life));
        if how == 0 {
            process.drain(shared)?;
            self.replicas[which].process = Some(process);
            return Ok(());
        }
        self.gone(which, process.life, how == 1);
        drop(process);
        Ok(())
    }

    fn gone(&mut self, which: usize, life: u32, loses_power: bool) {
        let (shared, replica) = (&mut self.shared, &mut self.replicas[which]);
        shared.oracle.life_cut_short(life);
        shared.leases.forget(life);
        if loses_power {
            replica.home.disk.crash(&mut self.random);
            replica.home.file.power_failed(&mut self.random);
        } else {
            replica.home.disk.kill();
        }
        // What the Lease says needs nothing of a machine that is gone.
        if self.plan.lease.is_some() && self.random.u8(..4) == 0 {
            shared.trace.say(shared.now, || format!("machine {which} is gone with its disk"));
            self.machines_gone += 1;
            shared.oracle.disk_is_gone(which, replica.lives.drain(..));
            replica.home = Home::new(which, format!("machine-{which}-after-{life}"), &self.plan);
        }
        replica.starts_at = shared.now + around(SECOND, &mut self.random);
    }
}
