/** The tables as Kysely sees them: text ids, integer cents, ISO times, JSON as text, the same for every database. */
export interface Tables {
  checkouts: CheckoutsTable
  /** One row for each sku in a completed sale. */
  sales: { sku: string; checkout_id: string; quantity: number }
  announcements: AnnouncementsTable
  events: EventsTable
  leases: { name: string; holder: string | null; until: string; note: string | null }
  selections: { browser: string; items: string; fields: string; kept_at: string }
  facts: { name: string; value: string }
}

export interface CheckoutsTable {
  id: string
  state: string
  items: string
  amount_total: number
  currency: string
  link: string
  client_reference_id: string | null
  customer_email: string | null
  metadata: string
  session_id: string | null
  payment_intent_id: string | null
  checkout_url: string | null
  expires_at: string | null
  amount_paid: number | null
  failure: string | null
  flags: string
  held: number
  asked_at: string | null
  link_id: string | null
  browser: string | null
  fingerprint: string | null
  created_at: string
  updated_at: string
  completed_at: string | null
}

export interface AnnouncementsTable {
  id: string
  checkout_id: string
  body: string
  state: string
  attempts: number
  next_attempt_at: string
  last_error: string | null
  created_at: string
  delivered_at: string | null
}

export interface EventsTable {
  id: string
  hints: string
  state: string
  attempts: number
  next_attempt_at: string
  received_at: string
}
