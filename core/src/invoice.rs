//! Invoices: what an organisation was charged in a month, as a page to print or keep.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};

use crate::model::{LedgerEntry, LedgerKind, Money, Month, OrganizationId, UsageLine};

/// An invoice of one month.
#[derive(Clone, Debug)]
pub struct Invoice {
    /// Who issues it; may be empty.
    pub issuer: String,
    /// Whose, by id.
    pub organization_id: OrganizationId,
    /// The organisation's name.
    pub organization: String,
    /// Which month.
    pub month: Month,
    /// What was in the wallet when the month began.
    pub opening: Money,
    /// What was charged, with the time that was charged for; lines without a charge are not on it.
    pub lines: Vec<UsageLine>,
    /// Top-ups, refunds and adjustments of the month.
    pub payments: Vec<LedgerEntry>,
    /// Whether it may change: the month is not over, or not all of it is settled.
    pub preliminary: bool,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

impl Invoice {
    /// The number it is known by. Not by the organisation's name, which another one may have after it.
    pub fn number(&self) -> String {
        let id = self.organization_id.0.simple().to_string();
        // The end is random; the beginning is the time.
        format!("{}-{}", self.month, id.get(20..).unwrap_or_default())
    }

    /// What was in the wallet at the month's end, all of its charges counted.
    pub fn closing(&self) -> Money {
        self.opening + self.payments.iter().map(|payment| payment.amount).sum::<Money>() - self.total()
    }

    /// All charges together.
    pub fn total(&self) -> Money {
        self.lines.iter().map(|line| line.charged).sum()
    }

    /// As a page of HTML that needs nothing else.
    pub fn html(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut page);
        page
    }

    fn write_movements(&self, page: &mut String, title: &str, is_one: impl Fn(LedgerKind) -> bool) -> fmt::Result {
        let movements: Vec<&LedgerEntry> = self.payments.iter().filter(|entry| is_one(entry.kind)).collect();
        if movements.is_empty() {
            return Ok(());
        }
        writeln!(
            page,
            "<h2>{title}</h2>\n<table>\n<thead><tr><th scope=\"col\">Date</th><th scope=\"col\">Kind</th>\
             <th scope=\"col\">Reference</th><th scope=\"col\">Amount</th></tr></thead>\n<tbody>"
        )?;
        for entry in movements {
            writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
                entry.occurred_at.format("%F"),
                entry.kind.as_str().replace('_', "-"),
                Escaped(entry.reference.as_deref().unwrap_or_default()),
                exact(entry.amount)
            )?;
        }
        page.push_str("</tbody>\n</table>\n");
        Ok(())
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        let title = format!("Invoice {}", self.number());
        write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
            Escaped(&title)
        )?;
        if !self.issuer.is_empty() {
            writeln!(page, "<p>From: {}</p>", Escaped(&self.issuer))?;
        }
        writeln!(page, "<p>To: {}</p>", Escaped(&self.organization))?;
        let state =
            if self.preliminary { "Preliminary: the month is not over, or not all of it is settled. " } else { "" };
        writeln!(
            page,
            "<p>{state}Period: {} to {} (UTC). Made {}.</p>",
            self.month.begin().format("%F"),
            (self.month.end() - chrono::TimeDelta::days(1)).format("%F"),
            self.made_at.format("%F %H:%M UTC")
        )?;
        page.push_str(
            "<table>\n<thead><tr><th scope=\"col\">App</th><th scope=\"col\">Process</th><th scope=\"col\">Plan</th>\
             <th scope=\"col\">Replica-hours</th><th scope=\"col\">Price per hour</th><th scope=\"col\">Amount</th></tr>\
             </thead>\n<tbody>\n",
        );
        for line in &self.lines {
            writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                Escaped(line.app_slug.as_str()),
                Escaped(line.key.process_type.as_str()),
                Escaped(&line.plan_name),
                line.replica_hours(),
                line.key.price_per_hour,
                exact(line.charged)
            )?;
        }
        if self.lines.is_empty() {
            page.push_str("<tr><td colspan=\"6\">Nothing was charged.</td></tr>\n");
        }
        writeln!(
            page,
            "</tbody>\n<tfoot><tr><th scope=\"row\" colspan=\"5\">Total</th><td class=\"n\">{}</td></tr></tfoot>\n</table>",
            exact(self.total())
        )?;
        self.write_movements(page, "Payments", |kind| kind != LedgerKind::Adjustment)?;
        self.write_movements(page, "Adjustments", |kind| kind == LedgerKind::Adjustment)?;
        writeln!(
            page,
            "<h2>Balance</h2>\n<table>\n<tbody><tr><th scope=\"row\">When the month began</th><td class=\"n\">{}</td></tr>\n\
             <tr><th scope=\"row\">When it ended</th><td class=\"n\">{}</td></tr></tbody>\n</table>",
            exact(self.opening),
            exact(self.closing())
        )?;
        page.push_str(
            "<p>Every hour of an app is charged once: what ran in it is measured exactly, and its cost is rounded to \
             six decimals. The amounts above are the sums of these charges.</p>\n</body>\n</html>\n",
        );
        Ok(())
    }
}

/// The one style sheet of the page.
pub const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
     color:#111;background:#fff}table{border-collapse:collapse;width:100%}\
     th,td{padding:.3rem .6rem;border-bottom:1px solid #ccc;text-align:left}td.n{text-align:right;\
     font-variant-numeric:tabular-nums}";

/// An amount with all its decimals.
fn exact(amount: Money) -> String {
    let sign = if amount < Money::ZERO { "-" } else { "" };
    format!("{sign}${:.6}", amount.0.abs())
}

/// Text made safe inside HTML elements and quoted attributes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppId, PlanId, UsageKey};

    #[test]
    fn nothing_in_an_invoice_becomes_markup_and_its_total_is_the_sum() {
        let line = |charged: i64| UsageLine {
            key: UsageKey {
                application_id: AppId::new(),
                process_type: "web".parse().expect("is a type"),
                plan_id: PlanId::new(),
                price_per_hour: Money::from_millionths(6_900),
            },
            app_slug: "shop".parse().expect("is a slug"),
            plan_name: "<b>big</b>".to_owned(),
            replica_microseconds: 5_400_000_000,
            cost: Money::from_millionths(charged),
            charged: Money::from_millionths(charged),
        };
        let invoice = Invoice {
            issuer: "A & B <script>alert(1)</script>".to_owned(),
            organization_id: OrganizationId::new(),
            organization: "acme".to_owned(),
            opening: Money::ZERO,
            month: "2026-11".parse().expect("is a month"),
            lines: vec![line(10_350), line(1)],
            payments: vec![LedgerEntry {
                id: 1,
                organization_id: OrganizationId::new(),
                kind: LedgerKind::TopUp,
                amount: Money::from_millionths(1),
                balance_after: Money::from_millionths(1),
                application_id: None,
                app_slug: None,
                hour: None,
                actor_id: None,
                actor: Some("admin".to_owned()),
                reference: Some("\"><img src=x onerror='alert(1)'>&amp;".to_owned()),
                note: None,
                occurred_at: DateTime::UNIX_EPOCH,
            }],
            preliminary: false,
            made_at: DateTime::UNIX_EPOCH,
        };
        let page = invoice.html();
        let reference = "<td>&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;amp;</td>";
        assert!(page.contains(reference) && !page.contains("<img"), "{page}");
        assert!(page.contains("A &amp; B &lt;script&gt;"), "{page}");
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        assert!(page.contains("<td class=\"n\">1.500000</td>") && page.contains("$0.010351"), "{page}");
        assert!(page.contains("Period: 2026-11-01 to 2026-11-30"), "{page}");
    }
}
