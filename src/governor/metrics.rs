//! What a governor has counted, as data and as text for Prometheus.

use super::exposition::Exposition;
use super::level::Level;

/// A snapshot of a governor.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The declared share; `None`: nothing is shed.
    pub share: Option<f64>,
    /// The level in force.
    pub level: Level,
    /// What one fuel is worth on this machine, as measured.
    pub nanos_per_fuel: f64,
    /// CPU time that may be used at once, nanoseconds; below zero: debt.
    pub balance_nanos: i64,
    /// Of each tenant.
    pub tenants: Vec<TenantMetrics>,
}

/// A snapshot of a tenant. Counts go up to their end and stay there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantMetrics {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: u32,
    /// Requests let in.
    pub admitted: u64,
    /// Requests turned away because their client was too dear.
    pub shed_clients: u64,
    /// Requests turned away because the tenant was over its part.
    pub shed_tenants: u64,
    /// Requests let in without an allowance for shadow work.
    pub without_shadow: u64,
    /// Fuel spent.
    pub fuel: u64,
    /// CPU time spent, nanoseconds: measured, or by the rate.
    pub cpu_nanos: u64,
    /// What is left of its part; below zero: it is over it.
    pub balance_nanos: i64,
}

/// One line for each tenant.
type Series<'t> = (&'static str, &'static str, &'static str, &'t dyn Fn(&TenantMetrics) -> String);

impl Metrics {
    /// The snapshot in the text format of Prometheus.
    ///
    /// ```
    /// use fusewall::governor::{Governor, GovernorConfig};
    /// let governor = Governor::new(&GovernorConfig::default());
    /// let shop = governor.tenant("shop", 1);
    /// shop.admit(None).unwrap().settle(1_000);
    /// assert!(governor.metrics().prometheus().contains("fusewall_tenant_fuel_total{tenant=\"shop\"} 1000\n"));
    /// ```
    pub fn prometheus(&self) -> String {
        let mut text = Exposition::default();
        self.expose(&mut text);
        text.finish()
    }

    /// The same, among other series.
    pub fn expose(&self, text: &mut Exposition) {
        if let Some(share) = self.share {
            text.gauge("fusewall_governor_share", "Declared part of all cores for rule evaluation.", share);
        }
        let level = self.level.number();
        text.gauge("fusewall_governor_level", "0 calm, 1 shadow work, 2 dear clients, 3 tenants.", level);
        let balance = seconds(self.balance_nanos);
        text.gauge("fusewall_governor_balance_seconds", "CPU time to spend; debt is negative.", balance);
        let worth = self.nanos_per_fuel / 1e9;
        text.gauge("fusewall_governor_seconds_per_fuel", "Measured worth of one fuel.", worth);
        let series: [Series<'_>; 5] = [
            ("fusewall_tenant_admitted_total", "counter", "Requests let in.", &|t| t.admitted.to_string()),
            ("fusewall_tenant_without_shadow_total", "counter", "Requests let in without shadow work.", &|t| {
                t.without_shadow.to_string()
            }),
            ("fusewall_tenant_fuel_total", "counter", "Fuel spent.", &|t| t.fuel.to_string()),
            ("fusewall_tenant_cpu_seconds_total", "counter", "CPU time of rule evaluation.", &|t| {
                (t.cpu_nanos as f64 / 1e9).to_string()
            }),
            ("fusewall_tenant_balance_seconds", "gauge", "CPU time left of its part; debt is negative.", &|t| {
                seconds(t.balance_nanos).to_string()
            }),
        ];
        for (name, kind, help, value) in series {
            let mut family = text.family(name, kind, help);
            for tenant in &self.tenants {
                family.sample(&[("tenant", &tenant.name)], value(tenant));
            }
        }
        let mut shed = text.family("fusewall_tenant_shed_total", "counter", "Requests turned away.");
        for tenant in &self.tenants {
            for (reason, count) in [("client", tenant.shed_clients), ("tenant", tenant.shed_tenants)] {
                shed.sample(&[("tenant", &tenant.name), ("reason", reason)], count);
            }
        }
    }
}

fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::super::{Governor, GovernorConfig};

    #[test]
    fn every_series_has_one_header_and_odd_names_stay_in_their_quotes() {
        let governor = Governor::new(&GovernorConfig { share: Some(0.5), cores: 2, ..GovernorConfig::default() });
        let (_one, _other) = (governor.tenant("a\"b\nc", 1), governor.tenant("d", 2));
        let text = governor.metrics().prometheus();
        assert!(text.contains("fusewall_governor_share 0.5\n"));
        assert!(text.contains("fusewall_tenant_shed_total{tenant=\"a\\\"b\\nc\",reason=\"client\"} 0\n"));
        assert_eq!(text.matches("# TYPE fusewall_tenant_admitted_total counter").count(), 1);
        assert!(text.lines().all(|line| line.starts_with('#') || line.split(' ').count() == 2), "{text}");
    }
}
