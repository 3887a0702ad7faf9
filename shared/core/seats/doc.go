// Package seats shows what a tenant has of licences: its products with their seats, who
// got them, and who waits for one.
//
//	Service   List           the products, for an admin
//	          StartCount ─> Count     who has them, over all accounts of the tenant, as a job
//
// # Where each number comes from
//
// A call of the API must end, however large the tenant is, so it looks at nobody's
// account. It asks Microsoft for the products (one request, 3 resource units, GG 9.1), in
// which the seats are: what Microsoft says now, though its own number of used ones lags by
// minutes. Of whom our ledgers say that we gave them a product is added up as they are
// written (store.Counters.GivenLicences): one read. Who waits is read from the problems of
// records, up to mostWaiting.
//
// What only the accounts tell, who has a product from others, by a group, or while the
// account is blocked, a job counts: all accounts of the tenant, a page of 999 at a time
// (GG 3.7), beside our ledgers. What it found stands in the answers with the time when it
// began. It is not kept up to date by itself.
//
// Nothing here writes to a tenant.
package seats
