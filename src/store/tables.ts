/** The tables as Kysely sees them: text ids, integer cents, ISO times, JSON as text, the same for every database. */
export interface Tables {
  checkouts: CheckoutsTable
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
  created_at: string
  updated_at: string
  completed_at: string | null
}
