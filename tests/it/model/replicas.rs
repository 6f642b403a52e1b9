//! Replicas with one database: each makes passes with the turn, a lease; the first one acts alone while the database is down.
//! They are killed, frozen and asked to end, statements fail, are slow, or are carried out although the answer is lost, and
//! the database is away for all or for one. The decisions are those of the service (`Lease`, `Watch`, `Contact`,
//! `StoredPass`, `Rollout`); what is around them is written anew, in whole seconds.

mod bounds;
mod faults;
mod passes;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use dyno_restarter::heroku::DynoName;
use dyno_restarter::restart::{Event, History, Lease, Rollout, Watch};
use dyno_restarter::store::Contact;
use tokio::time::Instant;

use super::database::{Answer, Database, Statement, Term, Written};
use super::promises::{Alert, Judge};
use super::schedule::{Chooser, Setting};
use super::world::World;
use crate::service::seconds;

/// Limits in seconds, as in `Timing::default` and in `store::postgres`.
const POLL: i64 = 2;
const RENEWAL: i64 = 8;
const STATEMENT: i64 = 2;
/// One that arrives late is carried out when what it writes was written again.
const LATE: i64 = 8;
const CALL: i64 = 10;

/// How long a process stands still that is frozen: longer than a lease and a call together, and until another one has taken
/// the turn after the database was down.
const FROZEN: i64 = 45;

/// How long it takes until a process that ended is started again.
const START: i64 = 5;

/// When the second alert arrives, which must respect what the first one led to: after a takeover.
const SECOND_ALERT: i64 = 60;

/// How long the database is down. After 25 s, the first process acts alone; the longer ones end between its restarts.
const DOWN: [i64; 3] = [27, 33, 60];

/// When an alert arrives while it is down: senders repeat them.
const REPEATED: i64 = 10;

/// How long one process cannot reach it.
const CUT_OFF: i64 = 60;

/// Whatever goes wrong, everything is done after this.
const LIMIT: i64 = 900;

/// What happens next, somewhere.
#[derive(Clone, Debug)]
enum Next {
    /// The database carries out a statement whose sender has given up waiting.
    Commit(Statement, i64),
    /// Somebody's alert about all dynos arrives.
    Alert,
    /// A process is started in this place.
    Start(usize),
    /// The database is back, for all or for the process in this place.
    Back(Option<usize>),
    /// A process does a step. `start` tells it from those that were in its place before.
    Step { at: usize, start: u32, step: Step },
}

/// A step of a process.
#[derive(Clone, Debug)]
enum Step {
    /// It looks after its turn.
    Poll,
    /// The database answered a statement that began at `began`, or did not answer in time.
    Answered { asked: Asked, began: i64, answer: Option<Answer> },
    /// Something happened to the pass of this number.
    Pass(u32, Event),
    /// The restart for which everything was checked before the process stood still.
    LateRestart { dyno: DynoName, instance: String },
    /// The end of a pass is written, again.
    Finish(Box<Finished>),
}

/// What a statement was for.
#[derive(Clone, Debug)]
enum Asked {
    Take,
    Renew,
    /// By the pass of this number.
    WriteAhead(u32, DynoName),
    HandOver(u32),
    GiveBack,
    Finish(Box<Finished>),
}

/// A pass that is over.
#[derive(Clone, Debug)]
struct Finished {
    term: Option<Term>,
    history: History,
    requests: Vec<i64>,
    dynos: BTreeSet<DynoName>,
}

/// A pass in the hands of a process.
#[derive(Clone, Debug)]
struct Pass {
    number: u32,
    /// The turn with which it began; `None` if its process was alone.
    term: Option<Term>,
    rollout: Rollout,
    requests: Vec<i64>,
    alerts: Vec<Alert>,
    /// When its last look was asked for.
    looked: i64,
    /// The dynos that its first look here showed up.
    up_at_start: Option<BTreeSet<DynoName>>,
}

/// One process of the service.
#[derive(Clone, Debug)]
struct Replica {
    start: u32,
    id: String,
    watch: Watch,
    contact: Contact,
    held: Option<(Term, Lease)>,
    renew_at: i64,
    history: History,
    /// The instances of whose restarts its history tells.
    knows: BTreeSet<String>,
    /// What the last holder remembered, as it was read last, and when.
    learned: Option<Written>,
    learned_at: i64,
    /// Whether passes were made without the turn.
    was_alone: bool,
    queue: Vec<i64>,
    /// The requests that it has put into its queue, or that its pass serves.
    taken: BTreeSet<i64>,
    /// The requests of passes whose end could not be written: they are marked at the end of the next one.
    unfinished: BTreeSet<i64>,
    /// Alerts that wait, and those that are not in the database yet.
    waiting: Vec<Alert>,
    unwritten: Vec<Alert>,
    pass: Option<Pass>,
    /// A turn that was taken while a pass was made without it.
    takeover: Option<(Term, Box<Written>)>,
    is_finishing: bool,
    is_stopping: bool,
}

/// What was seen of a schedule.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) steps: u64,
    pub(super) takeovers: u64,
    /// Restarts that a process asked for alone.
    pub(super) alone: u64,
    /// Restarts beside a dyno that is down by a restart that the process could not know of.
    pub(super) beside_unknown: u64,
    /// Restarts that were asked for after their process stood still, after its last check.
    pub(super) late: u64,
    /// Those that ended a process that was not in trouble, and those with which too many dynos were down.
    pub(super) late_wrong_process: u64,
    pub(super) late_too_many: u64,
}

impl Seen {
    /// Adds what was seen of another schedule.
    pub(super) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.takeovers += other.takeovers;
        self.alone += other.alone;
        self.beside_unknown += other.beside_unknown;
        self.late += other.late;
        self.late_wrong_process += other.late_wrong_process;
        self.late_too_many += other.late_too_many;
    }
}

/// What the replicas are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replication {
    pub(super) replicas: usize,
    /// When the first one starts, which acts alone. The others start one second after the other, from zero.
    pub(super) first_starts: i64,
    /// Whether the database is away at times, and processes stand still between the last check and the restart.
    pub(super) is_away_at_times: bool,
}

struct Replicas<'a, C> {
    chooser: &'a mut C,
    setting: Setting,
    replication: Replication,
    epoch: Instant,
    now: i64,
    next: BTreeMap<(i64, u64), Next>,
    sequence: u64,
    /// How many statements were sent.
    beat: i64,
    passes: u32,
    world: World,
    judge: Judge,
    database: Database,
    is_down: bool,
    cut_off: BTreeSet<usize>,
    processes: Vec<Replica>,
    bounds: bounds::Bounds,
    /// How many alerts arrived, apart from those that are repeated while the database is down.
    alerts: usize,
    /// The dynos whose restart took effect, or may have, and those that a report names which was not written.
    accounted: BTreeSet<DynoName>,
    is_over: bool,
    seen: Seen,
}

/// Plays one schedule of replicas, and judges each restart.
pub(super) fn play(setting: Setting, replication: Replication, chooser: &mut impl Chooser) -> Seen {
    let epoch = Instant::now();
    let mut all = Replicas {
        chooser,
        setting,
        replication,
        epoch,
        now: 0,
        next: BTreeMap::new(),
        sequence: 0,
        beat: 0,
        passes: 0,
        world: World::new(setting.dynos, setting.is_fir),
        judge: Judge::new(setting.is_fir),
        database: Database::default(),
        is_down: false,
        cut_off: BTreeSet::new(),
        processes: (0..replication.replicas).map(|at| Replica::none(at, 0, epoch)).collect(),
        bounds: bounds::Bounds::default(),
        alerts: 0,
        accounted: BTreeSet::new(),
        is_over: false,
        seen: Seen::default(),
    };
    all.later(0, Next::Alert);
    all.later(SECOND_ALERT + replication.first_starts, Next::Alert);
    for at in 0..replication.replicas {
        let second = if at == 0 { replication.first_starts } else { i64::try_from(at).expect("few") };
        all.later(second, Next::Start(at));
    }
    all.run();
    all.judge_end();
    all.seen
}

impl Replica {
    /// A place without a process.
    fn none(at: usize, start: u32, now: Instant) -> Self {
        Self {
            start,
            id: String::new(),
            watch: Watch::default(),
            contact: Contact::new(Some(at == 0), false, now),
            held: None,
            renew_at: 0,
            history: History::default(),
            knows: BTreeSet::new(),
            learned: None,
            learned_at: 0,
            was_alone: false,
            queue: Vec::new(),
            taken: BTreeSet::new(),
            unfinished: BTreeSet::new(),
            waiting: Vec::new(),
            unwritten: Vec::new(),
            pass: None,
            takeover: None,
            is_finishing: false,
            is_stopping: false,
        }
    }

    fn is_there(&self) -> bool {
        !self.id.is_empty()
    }

    fn is_busy(&self) -> bool {
        self.pass.is_some() || self.takeover.is_some() || self.is_finishing
    }

    /// Whether it still has the pass of this number.
    fn has_pass(&self, number: u32) -> bool {
        self.pass.as_ref().is_some_and(|pass| pass.number == number)
    }
}

impl<C: Chooser> Replicas<'_, C> {
    fn run(&mut self) {
        while !self.is_done() {
            let ((at, _), next) = self.next.pop_first().expect("somebody always polls");
            assert!(self.seen.steps < 20_000, "it does not end");
            assert!(at < LIMIT, "an alert waits for {at} s: {:?}", self.database);
            self.now = at;
            self.world.pass_until(at);
            self.judge_truth();
            self.seen.steps += 1;
            match next {
                Next::Commit(statement, beat) => _ = self.database.carry_out(statement, beat),
                Next::Alert => self.alert(),
                Next::Start(at) => self.start(at),
                Next::Back(None) => self.is_down = false,
                Next::Back(Some(at)) => _ = self.cut_off.remove(&at),
                Next::Step { at, start, step } if self.processes[at].start == start => self.step(at, step),
                Next::Step { .. } => {}
            }
        }
    }

    /// Whether all alerts were acted on, and no process has anything in hand.
    fn is_done(&self) -> bool {
        let is_idle = |replica: &Replica| !replica.is_busy() && replica.unwritten.is_empty();
        let unfinished = |id: &i64| self.processes.iter().any(|replica| replica.unfinished.contains(id));
        self.is_over
            || self.alerts > 1 && self.database.waiting().iter().all(unfinished) && self.processes.iter().all(is_idle)
    }

    fn later(&mut self, seconds: i64, next: Next) {
        self.sequence += 1;
        self.next.insert((self.now + seconds, self.sequence), next);
    }

    fn step_later(&mut self, at: usize, seconds: i64, step: Step) {
        let start = self.processes[at].start;
        self.later(seconds, Next::Step { at, start, step });
    }

    fn instant(&self, second: i64) -> Instant {
        self.epoch + seconds(second.unsigned_abs())
    }

    fn step(&mut self, at: usize, step: Step) {
        let replica = &self.processes[at];
        let is_worth_a_fault = !matches!(step, Step::Poll) && (replica.held.is_some() || replica.pass.is_some());
        if is_worth_a_fault {
            match self.chooser.choose(4) {
                1 => return self.kill(at),
                2 => return self.freeze(at, step),
                3 => self.processes[at].is_stopping = true,
                _ => {}
            }
        }
        match step {
            Step::Poll => self.poll(at),
            Step::Answered { asked, began, answer } => self.answered(at, asked, began, answer),
            Step::Pass(number, event) if self.processes[at].has_pass(number) => self.pass(at, event),
            // The process has left it.
            Step::Pass(..) => {}
            Step::LateRestart { dyno, instance } => self.late_restart(&dyno, &instance),
            Step::Finish(finished) => self.finish(at, finished),
        }
    }
}
