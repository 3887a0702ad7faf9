// Package store keeps every record of Bindery in one table: keys, encodings
// and queries. It holds the invariants that a single write can hold: at most
// one binding a user, one holder a claim, one owner an e-mail address, and no
// write by a run whose lease or epoch has passed.
//
// Each aggregate is a small type over one db, which has the table, the clock and
// the sealer; New makes them together, and a Store names them. Whoever uses records
// declares the few methods that it needs, where it needs them, and takes the
// aggregates that have them.
//
// # Transactions that span aggregates
//
// One is a method of the aggregate whose fact it is, which writes the items of the
// others by what these give it for that (markWrite, problemWrites, addBound,
// pendingLinkWrite, record …), in one call of the table:
//
//	Users.CreateUsers, UpdateUser     the user, with the addresses it holds; an edit marks the binding,
//	                                  since a version that is stored and not marked would never be written
//	Groups.CreateGroups, UpdateGroup  the group, with the name it holds and its place in the count
//	Uses.PutUse, DropUse              the use, with the group's list of who uses it
//	Uses.Advance                      how far a use has been brought for members, with the records that
//	                                  follow for them
//	Users and Groups.CreatePushed,    the user or group, with what a client of SCIM has pushed of it, and the
//	UpdatePushed                      externalId that leads there
//	Groups.ChangeMembers              memberships with their group, the groups that were put into it or taken
//	                                  out of it, and the count of nestings: no group is in itself
//	  both                            the note that those who use the group are to be told (changed)
//	Bindings.Bind, Retract, Sweep     the binding, with its claim, its problem, the counter and the former
//	                                  row: each says something of bindings that must not be said otherwise
//	Bindings.MoveNow, MoveAfter,      the binding, with the user whose address moves along: in between
//	  TakeMoveBack                    nobody may see the one without the other
//	Runs.Journal, JournalLate         what became of changes, with bindings, claims, before-images and all
//	                                  counters: a result that counts is one whose binding says so; with the
//	                                  last of a run also its end (Journal.End)
//	Runs.SaveRun, AppendChunk,        the run, with its place in the list of open runs, the mark that it is
//	  DecideRun                       to be linked, and what was planned; at version 0 the run is a new one
//	Runs.BeginRun                     a small run with its plan, its place on the lease, and the renewal of
//	                                  the lease before it is sent; with its end the lease is given back
//	Connections.DeleteConnection      the connection, with the counts of its last day that stand on the lease
//	Connections.ModifyConnection      the connection, with its version on the lease's item
//	Connections.EndEpoch              the connection, with its epoch on the lease's item: whoever has the
//	                                  lease loses it by that
//	Protection.PutProtectionOverride  the lift, with a note on the lease's item that there is one
//	Leases, Marks, Counters           one item, of the lease or the binding, with the check that the
//	                                  lease still counts; the first lease of a connection that an older
//	                                  version worked on: the connection and the lease
//	Chains.AddLink                    the link and the head, with the mark of the run, which ends by it
//	Jobs.CreateLoad                   the job, with the upload that it uses up
//	Photos.SavePhoto                  the picture, while its user lives and the epoch counts
//
// An audit event goes with any of them: the method whose fact it is takes it.
//
// # Who acts
//
// What an admin's act can be (see [Audit]) takes the act as an argument, and stores
// it in the transaction that does it: what was done and that it was done stand in
// the table together, or neither.
//
// # Kinds
//
// What is bound is named by a directory.Ref: a user's account, or an object of
// another kind. Records of accounts name no kind, which is how versions wrote them
// that knew no other; their keys are the user's.
//
// # Keys
//
//	record        partition              sort             index 1                         index 2
//	connection    C#<connection>         connection       connections / <connection>
//	lease         C#<connection>         connection#lease
//	read link     C#<connection>         connection#link
//	open run      C#<connection>         open#<run>
//	bound counter C#<connection>         bound#<epoch>; of other kinds bound#<epoch>#<kind>
//	licences      C#<connection>         licences
//	  counted
//	token lease   C#<connection>         tokens#<epoch>
//	app's quota   APP                    writes
//	round         APP                    schedule
//	hour's counts C#<connection>         hour#<hours since 1970>#<part>
//	user count    users#count#<shard>    count
//	group count   GROUPS#count#<shard>   count
//	  its state   GROUPS                 count
//	protection    C#<connection>         lift#<account>
//	  override
//	health        C#<connection>         health
//	named         C#<connection>         named
//	tenant claim  T#<tenant>             claim
//	domain claim  D#<domain>             claim
//	account claim A#<tenant>#<account>   claim
//	before-image  A#<tenant>#<account>   before
//	import of     A#<tenant>#<account>   imported
//	  a user
//	both of other A#<tenant>#<kind>#<id> claim, before
//	  kinds
//	group deleted A#<tenant>#group#<id>  deleted
//	  with its
//	  export
//	import of     A#<tenant>#group#<id>  imported
//	  a group
//	user          U#<user>               profile          users#<shard> / <user>          MGR#<manager> / <user>
//	binding       U#<user>               binding          B#<connection>#<epoch>#<shard>  M#<connection>#<epoch>#<lane>
//	                                                      / <user>                        / <marked at>#<user>
//	binding of    O#<kind>#<id>          C#<connection>   B#<connection>#<epoch>#objects  M#<connection>#<epoch>#<lane>
//	  other kinds                                         / <kind>#<id>                   / <marked at>#<kind>#<id>
//	member of     UG#<user>, G#<group>   in#<group>
//	group         G#<group>              profile          groups#<shard> / <group>
//	membership    G#<group>              m#user#<user>, m#group#<group>
//	group's name  GN#<folded name>       name
//	nestings      GROUPS                 nesting
//	changed       GROUPS#changed         group#<group>#<note>,
//	                                     user#<user>#<note>
//	due use       GD#<connection>        <group>#<note>
//	use           C#<connection>         use#<group>
//	use's member  UM#<connection>#<epoch>#<group>
//	                                     user#<user>,     of whom cannot be bound:
//	                                     group#<group>    UR#<connection>#<epoch>#<group>
//	                                                      / as sort
//	user's rules  C#<connection>         licences#<user>
//	licensed by   UL#<connection>#<epoch>#<user>
//	                                     <group>
//	memberships   PURGES                 <due at>#user#<user>, <due at>#group#<group>
//	  to be ended
//	SCIM client   SC#<client>            client           scim-clients / <client>
//	  its tokens  SC#<client>            token#<token>
//	  its rate    SC#<client>            rate#<window>
//	  its tally   SC#<client>            tally#<hour>
//	  of whom     SC#<client>            tallied#suspended#<user>, tallied#deleted#<user>
//	  once it is  SC#<client>            deleted
//	    deleted
//	  its app     SC#app#<hash of it>    app
//	  what it has SC#<client>            count#<user or group>#<shard>
//	    pushed
//	document      SD#user#<user>,        <client>         SO#<client>#<user or group>#<shard>
//	  of a client SD#group#<group>                        / <user or group's ID>
//	externalId    SX#<client>#<user or   externalId
//	  of a client   group>#<externalId>
//	further       SX#<client>#address#   <user>
//	  address       <address>
//	place in a    SM#<client>#<hash of   <startIndex>
//	  listing       the question>
//	request of a  SR#<client>            <ms>#<request>
//	  client
//	photo         P#<user>               photo
//	photo due     Q#<connection>#<epoch> <user>
//	photo plan    C#<connection>         photos
//	e-mail        E#<address>            email
//	user name     N#<user name>          userName
//	forms         forms                  addresses
//	problem       X#<connection>#<epoch> <cause>#<user>; of other kinds <cause>#<kind>#<id>
//	former        F#<connection>#<shard> <user>
//	  other kinds F#<connection>#objects <kind>#<id>
//	run           R#<run>                run              RUNS#<connection> / <run>
//	plan chunk    R#<run>                c#<chunk>
//	results       R#<run>                c#<chunk>#<seq>
//	note of a run R#<run>                n#<name>
//	job           J#<job>                job              JOBS#<connection> / <job>       JOBS / <job>
//	open job      jobs                   <job>
//	job input     J#<job>                in#<n>
//	refused       J#<job>                refused#<n>
//	job pages     J#<job>                page#<n>
//	upload        UP#<upload>            upload
//	OAuth state   S#<hash>               state
//	session of    CS#<hash>              session
//	  the console
//	seen accounts R#<run>                seen#<n>
//	act           ACTS#<hour since 1970> <ms>#a#<act>     ACTIVITY#<connection> / as sort ACTIVITY / as sort
//	link          CHAIN#<chain>          link#<number>
//	leaves        CHAIN#<chain>          leaf#<digest>#<part>
//	last link of  CHAIN#<chain>          of#<run or hour>
//	head          CHAINS                 <chain>
//	pending link  UNLINKED               <connection>#<run>
//	day's counts  C#<connection>         day#<yyyymmdd>
//	report calls  T#<tenant>, APP        reports
//	notification  C#<connection>         told; all: APP / told
//	  state
//	user's hint   ACTIVITY#<user>        <ms>#a#<act>, <ms>#r#<run>#<chunk>#<seq>
//	  other kinds ACTIVITY#<kind>#<id>
//	edits by hand ACTIVITY#by-hand       <ms>#a#<act>
//
// The bound counter counts bindings, and those with an account; an hour's counts
// have, beside what the guard counts, how many bindings got an account.
//
// Results stand in the indexes as acts do, under ACTIVITY#<connection> and
// ACTIVITY, at <ms>#r#<run>#<chunk>#<seq>.
//
// Shards are the last hexadecimal digit of a hash of the user's ID, so that a
// listing by connection is spread over 16 partitions of the index. Lanes of
// marks are "u" (urgent: a block) and "0" to "3".
//
// # What a condition must see
//
// Epoch and status of a connection, fence, end and read link of its lease, wanted and
// applied version of a binding stand as numbers and strings of their items, beside the
// body, since conditions look only there. They are filled into the types when an item
// is read.
//
// # Bodies
//
// A body is JSON. That of a binding is packed, by whoever writes it (encodeBinding),
// and read in both forms, since versions before wrote JSON: an item of less than 1 KB
// costs half of what one of up to 2 KB does. See the decision 0016.
package store
