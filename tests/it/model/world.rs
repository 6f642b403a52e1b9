//! The world of the model: an app whose dynos boot, crash, are deployed and scaled, by whole seconds.

use dyno_restarter::heroku::{Dyno, DynoName, ProcessType, State};
use jiff::{SignedDuration, Timestamp};

/// How long a dyno boots.
const BOOT: i64 = 4;

/// How long after it came up a dyno crashes that is to crash.
const CRASH: i64 = 6;

/// What becomes of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    ComesUp,
    CrashesOnBoot,
    NeverComesUp,
    ComesUpAndCrashes,
    ComesUpCrashesAndIsRestarted,
}

pub(super) const FATES: [Fate; 5] = [
    Fate::ComesUp,
    Fate::CrashesOnBoot,
    Fate::NeverComesUp,
    Fate::ComesUpAndCrashes,
    Fate::ComesUpCrashesAndIsRestarted,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    Up,
    Starting,
    Crashed,
}

/// One instance of a dyno.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) name: DynoName,
    pub(super) id: u32,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) release: u64,
    pub(super) state: Now,
    fate: Fate,
    /// When we took it down, if it has not been up since.
    pub(super) taken_down: Option<i64>,
    /// When it came up.
    pub(super) came_up: Option<i64>,
}

/// A restart that was accepted and is carried out later.
#[derive(Clone, Debug)]
struct Late {
    at: i64,
    name: DynoName,
    fate: Fate,
    /// Whether the dyno is then down because of us.
    counts: bool,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: i64,
    pub(super) dynos: Vec<Instance>,
    pub(super) quantity: usize,
    release: u64,
    next_id: u32,
    /// Restarts that were accepted and are carried out later.
    late: Vec<Late>,
    is_fir: bool,
}

impl World {
    /// This many web dynos, up for an hour.
    pub(super) fn new(dynos: usize, is_fir: bool) -> Self {
        let mut world =
            Self { now: 0, dynos: Vec::new(), quantity: dynos, release: 7, next_id: 0, late: Vec::new(), is_fir };
        for number in 1..=dynos {
            let mut instance = world.instance(number, Fate::ComesUp);
            (instance.created, instance.updated, instance.state) = (-3600, -3590, Now::Up);
            instance.came_up = Some(-3590);
            world.dynos.push(instance);
        }
        world
    }

    fn instance(&mut self, number: usize, fate: Fate) -> Instance {
        self.next_id += 1;
        let id = self.next_id;
        let name = if self.is_fir { format!("web-12a34bcd56-{id:05}") } else { format!("web.{number}") };
        Instance {
            name: DynoName::parse(&name).expect("a valid name"),
            id,
            created: self.now,
            updated: self.now,
            release: self.release,
            state: Now::Starting,
            fate,
            taken_down: None,
            came_up: None,
        }
    }

    pub(super) fn position(&self, name: &DynoName) -> Option<usize> {
        self.dynos.iter().position(|dyno| dyno.name == *name)
    }

    /// Lets time pass, second by second.
    pub(super) fn pass_until(&mut self, time: i64) {
        while self.now < time {
            self.now += 1;
            let (due, later): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.late).into_iter().partition(|late| late.at <= self.now);
            self.late = later;
            for Late { name, fate, counts, .. } in due {
                let Some(at) = self.position(&name) else { continue };
                self.restart(&name, fate);
                self.dynos[at].taken_down = counts.then_some(self.now);
            }
            for at in 0..self.dynos.len() {
                self.age(at);
            }
        }
    }

    fn age(&mut self, at: usize) {
        let (now, dyno) = (self.now, &mut self.dynos[at]);
        let since_created = now - dyno.created;
        match (dyno.state, dyno.fate) {
            (Now::Starting, Fate::NeverComesUp) => {}
            (Now::Starting, Fate::CrashesOnBoot) if since_created >= BOOT => {
                (dyno.state, dyno.updated) = (Now::Crashed, now);
            }
            (Now::Starting, _) if since_created >= BOOT => {
                (dyno.state, dyno.updated, dyno.came_up) = (Now::Up, now, Some(now));
                dyno.taken_down = None;
            }
            (Now::Up, Fate::ComesUpAndCrashes) if since_created >= BOOT + CRASH => {
                (dyno.state, dyno.updated) = (Now::Crashed, now);
            }
            (Now::Up, Fate::ComesUpCrashesAndIsRestarted) if since_created >= BOOT + CRASH => {
                self.replace(at, Fate::NeverComesUp);
            }
            _ => {}
        }
    }

    fn replace(&mut self, at: usize, fate: Fate) {
        let taken_down = self.dynos[at].taken_down;
        let mut instance = self.instance(at + 1, fate);
        instance.taken_down = taken_down;
        self.dynos[at] = instance;
    }

    /// A restart through the API, carried out now. Whether there is such a dyno.
    pub(super) fn restart(&mut self, name: &DynoName, fate: Fate) -> bool {
        let Some(at) = self.position(name) else { return false };
        self.replace(at, fate);
        self.dynos[at].taken_down = Some(self.now);
        true
    }

    /// Force overrides the hold of an earlier pass: the dynos that it took down do not count any more.
    pub(super) fn force(&mut self) {
        self.late.iter_mut().for_each(|late| late.counts = false);
        self.dynos.iter_mut().for_each(|dyno| dyno.taken_down = None);
    }

    pub(super) fn restart_late(&mut self, name: &DynoName, fate: Fate, seconds: i64) -> bool {
        self.late.push(Late { at: self.now + seconds, name: name.clone(), fate, counts: true });
        self.position(name).is_some()
    }

    /// Heroku, or a person, restarts a dyno.
    pub(super) fn restart_from_outside(&mut self, at: usize) {
        let at = at % self.dynos.len();
        self.replace(at, Fate::ComesUp);
        self.dynos[at].taken_down = None;
    }

    pub(super) fn crash(&mut self, at: usize) {
        let at = at % self.dynos.len();
        (self.dynos[at].state, self.dynos[at].updated) = (Now::Crashed, self.now);
    }

    pub(super) fn deploy(&mut self) {
        self.release += 1;
        for at in 0..self.dynos.len() {
            self.replace(at, Fate::ComesUp);
            self.dynos[at].taken_down = None;
        }
    }

    /// Scales down by one; one dyno always stays.
    pub(super) fn scale_down(&mut self) {
        if self.quantity > 1 && self.dynos.len() > 1 {
            self.quantity -= 1;
            let quantity = self.quantity;
            self.dynos.retain(|dyno| dyno.name.number().is_none_or(|number| number <= quantity));
            self.dynos.truncate(quantity);
        }
    }

    /// A dyno is not listed any more, although the app is still scaled to it.
    pub(super) fn vanish(&mut self) {
        if self.dynos.len() > 1 {
            self.dynos.pop();
        }
    }

    /// What the API lists.
    pub(super) fn list(&self) -> Vec<Dyno> {
        let mut dynos: Vec<_> = self.dynos.iter().map(Instance::record).collect();
        dynos.sort_by(|one, other| one.name.cmp(&other.name));
        dynos
    }
}

impl Instance {
    /// Its ID, as the API tells it.
    pub(super) fn instance(&self) -> String {
        format!("id-{}", self.id)
    }

    fn record(&self) -> Dyno {
        let state = match self.state {
            Now::Up => "up",
            Now::Starting => "starting",
            Now::Crashed => "crashed",
        };
        Dyno {
            name: self.name.clone(),
            process_type: web(),
            size: None,
            state: State::from(state),
            id: Some(self.instance()),
            created_at: Some(time(self.created)),
            updated_at: Some(time(self.updated)),
            release: Some(self.release),
        }
    }
}

pub(super) fn web() -> ProcessType {
    ProcessType::parse("web").expect("a valid process type")
}

/// A second of the model as a time.
pub(super) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a valid time")
}

/// The second of the model in which a time falls, rounded up: nothing is done too early.
pub(super) fn second(time: Timestamp) -> i64 {
    let since: SignedDuration = time.duration_since(self::time(0));
    since.as_secs() + i64::from(since.subsec_nanos() > 0)
}
