// Package quota shares out what Microsoft lets an app write and read: the quotas of
// each tenant, and one of the app over all tenants, for which loads stand in line.
// They are token buckets as documented; where a refusal shows that a sliding window is
// counted, windows are kept (counting.go tells how that is learned).
//
//	tenant  3000 writes, 20 more a second; 3500 resource units of reads, 350 more a second
//	app     35000 writes in any 5 minutes, over all tenants
//
// It works on values (directory.TenantQuota, directory.AppQuota) and a moment: it
// reads no clock and never sleeps. It says how long to wait, and others wait.
//
// It also says how many requests go out at once, of how many writes each (Flow),
// learned from the tenant's answers of the last minutes: begun low, wider while it
// takes them, half as wide after a refusal; and of the size that is fastest by what a
// request and an item were measured to take.
//
// Three things keep everybody moving. A load leaves a reserve in the tenant's
// bucket or window for those who must lose access now. It takes the app's quota in portions,
// in the order of asking, and who needs only a few writes takes them out of a
// reserve, without standing in line. And when Microsoft refuses all the same, what
// it had taken since the last refusal tells how fast the bucket really fills.
package quota
