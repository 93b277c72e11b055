//! Clocks that are wrong.

use crate::simulation::{SECOND, Source, World};
use fusewall::governor::Clock;

#[test]
fn a_clock_set_back_or_forward_does_no_harm() {
    for jump in [-3600_i64, -10, -1, 1, 10, 86_400] {
        let mut world = World::new(0.7, 1);
        world.clock.set(7200 * SECOND);
        let tenant = world.governor.tenant("only", 1);
        world.sources.push(Source::new(&tenant, 0, 200, 1_000_000, 0.3));
        world.run(2 * SECOND);
        let now = world.clock.nanos();
        world.clock.set(now.saturating_add_signed(jump * SECOND as i64));
        world.count();
        world.run(3 * SECOND);
        assert_eq!(world.sources[0].tally.shed(), 0, "jump of {jump} s");
        world.sources[0].load = 3.0;
        world.run(2 * SECOND);
        world.count();
        world.run(5 * SECOND);
        let used = world.spent as f64 / (5 * SECOND) as f64;
        assert!((used - 0.7).abs() < 0.05, "{used} after a jump of {jump} s");
    }
}
