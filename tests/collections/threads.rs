//! Increments of many threads all count.

use crate::site::Site;

#[test]
fn concurrent_increments_all_count() {
    const THREADS: u64 = 8;
    const REQUESTS: u64 = 250;
    let site = Site::new(
        r#"
        SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},initcol:global=all"
        SecRule &IP:n "@eq 0" "id:2,phase:1,pass,nolog,expirevar:ip.n=3000"
        SecRule REQUEST_URI "!@streq /look" "id:3,phase:1,pass,nolog,setvar:ip.n=+1,setvar:global.n=+1"
        SecRule REQUEST_URI "!@streq /look" "id:4,phase:2,pass,nolog,setvar:ip.m=+2,setvar:global.n=-3"
        SecAction "id:5,phase:2,pass,nolog,setvar:'tx.seen=%{ip.n} %{ip.m} %{global.n} %{global.update_counter}'"
        "#,
    );
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let site = &site;
            scope.spawn(move || {
                for _ in 0..REQUESTS {
                    site.get(0, (thread % 2) as u8, "/");
                }
            });
        }
    });
    let all = THREADS * REQUESTS;
    let of_one = all / 2;
    assert_eq!(site.seen(1, "/look"), format!("{of_one} {} -{} {all}", 2 * of_one, 2 * all));
}
