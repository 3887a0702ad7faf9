package console

import "bindery/shared/directory"

// findingForm is which finding of the doctor's it is.
type findingForm struct{ code, variant string }

// findingWords are what is said of a finding. {name} is one of its values, and what stands
// in brackets is said only where its values are known.
type findingWords struct {
	found, follows, next text
	// one is found where the value that count names is one.
	one   text
	count string
}

// What several findings say.
var (
	textFoundAuthorize   = text{"Authorise the connection again.[ Before that: {first}]", "Autorisieren Sie die Verbindung erneut.[ Zuvor: {first}]"}
	textFoundNotSynced   = text{"Nothing is synced until an admin authorises the connection again; people who leave keep their access.", "Bis ein Admin die Verbindung erneut autorisiert, wird nichts abgeglichen; wer das Unternehmen verlässt, behält seinen Zugang."}
	textFoundUnused      = text{"They are paid for and used by nobody.", "Sie werden bezahlt und von niemandem genutzt."}
	textFoundRenew       = text{"Renew the subscription in the Microsoft 365 admin center, or move people to another product.", "Verlängern Sie das Abonnement im Microsoft 365 Admin Center, oder stellen Sie die Personen auf ein anderes Produkt um."}
	textFoundNotBound    = text{"They cannot be bound through this connection.", "Sie lassen sich nicht durch diese Verbindung binden."}
	textFoundNobody      = text{"Whatever it sends is refused with 401: nobody who joins, changes or leaves there reaches the directory.", "Was er sendet, wird mit 401 abgelehnt: Wer dort dazukommt, sich ändert oder geht, erreicht das Verzeichnis nicht."}
	textFoundTokenEnds   = text{"The token that the client uses ends on {ends}.", "Das Token, das der Client verwendet, läuft am {ends} ab."}
	textFoundTokenThen   = text{"From then on whatever the client sends is refused with 401.", "Danach wird alles, was der Client sendet, mit 401 abgelehnt."}
	textFoundRefused     = text{"Nothing of that has reached the directory. Okta shows such requests as tasks of its admin; others repeat them, ever more rarely.", "Was darin stand, hat das Verzeichnis nicht erreicht. Okta zeigt solche Anfragen als Aufgaben seines Admins; andere wiederholen sie, immer seltener."}
	textFoundRefusedNext = text{"Look at the client's refused requests, mend at the identity provider what they tell, and have it send them again.", "Sehen Sie die abgelehnten Anfragen des Clients an, beheben Sie beim Identitätsanbieter, was darin steht, und lassen Sie ihn erneut senden."}
	textFoundConsent     = text{"Authorise the connection again and consent to all permissions.", "Autorisieren Sie die Verbindung erneut, und stimmen Sie allen Berechtigungen zu."}
	textFoundWanted      = text{"The permission {scope} was not granted. A setting or a rule of the connection wants it.", "Die Berechtigung {scope} wurde nicht erteilt. Eine Einstellung oder Regel der Verbindung verlangt sie."}
	textFoundWantedNext  = text{"Authorise the connection again: Microsoft asks for that permission. What waits for it goes on by itself.", "Autorisieren Sie die Verbindung erneut: Microsoft fragt nach dieser Berechtigung. Was auf sie wartet, geht von selbst weiter."}
)

// findingSays has the words of every finding.
var findingSays = map[findingForm]findingWords{
	// The authorisation.
	{directory.CodeAuthorizationLost, ""}: {
		found:   text{"Microsoft does not accept the connection's authorisation: {why}", "Microsoft nimmt die Autorisierung der Verbindung nicht an: {why}"},
		follows: textFoundNotSynced, next: textFoundAuthorize,
	},
	{directory.CodeConsentRemoved, ""}: {
		found:   text{"The tenant does not admit Bindery's app any more: {why}", "Der Mandant lässt Binderys App nicht mehr zu: {why}"},
		follows: textFoundNotSynced, next: textFoundAuthorize,
	},
	{directory.CodeAdminGone, directory.VariantLost}: {
		found:   text{"The account that authorised the connection is not there any more.", "Das Konto, das die Verbindung autorisiert hat, gibt es nicht mehr."},
		follows: textFoundNotSynced, next: text{"Restore it, or let another admin authorise the connection again.", "Stellen Sie es wieder her, oder lassen Sie einen anderen Admin die Verbindung erneut autorisieren."},
	},
	{directory.CodeAdminDisabled, directory.VariantLost}: {
		found:   text{"The account that authorised the connection is blocked.", "Das Konto, das die Verbindung autorisiert hat, ist gesperrt."},
		follows: textFoundNotSynced, next: text{"Unblock it, or let another admin authorise the connection again.", "Entsperren Sie es, oder lassen Sie einen anderen Admin die Verbindung erneut autorisieren."},
	},
	{directory.CodeAdminGone, ""}: {
		found:   text{"The account {account}, which authorised the connection, is not there any more.", "Das Konto {account}, das die Verbindung autorisiert hat, gibt es nicht mehr."},
		follows: text{"The authorisation ends with it, within the hour or at the next renewal.", "Die Autorisierung endet damit, binnen einer Stunde oder bei der nächsten Erneuerung."},
		next:    text{"Let another admin authorise the connection.", "Lassen Sie einen anderen Admin die Verbindung autorisieren."},
	},
	{directory.CodeAdminDisabled, ""}: {
		found:   text{"The account {account}, which authorised the connection, is blocked.", "Das Konto {account}, das die Verbindung autorisiert hat, ist gesperrt."},
		follows: text{"Microsoft refuses the next renewal of the authorisation.", "Microsoft lehnt die nächste Erneuerung der Autorisierung ab."},
		next:    text{"Unblock it, or let another admin authorise the connection.", "Entsperren Sie es, oder lassen Sie einen anderen Admin die Verbindung autorisieren."},
	},
	{directory.CodeAdminRoleLost, ""}: {
		found:   text{"The account {account} has no role any more that may manage users.[ It was {roles}.]", "Das Konto {account} hat keine Rolle mehr, die Benutzer verwalten darf.[ Zuvor: {roles}.]"},
		follows: text{"Microsoft refuses every change to accounts.", "Microsoft lehnt jede Änderung an Konten ab."},
		next:    text{"Give it the role User Administrator back, or let another admin authorise the connection.", "Geben Sie ihm die Rolle Benutzeradministrator zurück, oder lassen Sie einen anderen Admin die Verbindung autorisieren."},
	},
	{directory.CodeAdminRolesFewer, ""}: {
		found:   text{"The account {account} has fewer roles than when it authorised the connection. It was {roles}.", "Das Konto {account} hat weniger Rollen als bei der Autorisierung der Verbindung. Zuvor: {roles}."},
		follows: text{"What only that role may do is refused: a User Administrator may not change accounts that hold roles.", "Was nur diese Rolle darf, wird abgelehnt: Ein Benutzeradministrator darf keine Konten ändern, die selbst Rollen haben."},
		next:    text{"Nothing, if it was meant so.", "Nichts, wenn es so gewollt ist."},
	},
	{directory.CodeTokenUnused, ""}: {
		found:   text{"The authorisation has not been used for {days} of {of} days.", "Die Autorisierung wurde seit {days} von {of} Tagen nicht verwendet."},
		follows: text{"Unused, it ends on {ends}: then nothing is synced until an admin authorises again.", "Unbenutzt endet sie am {ends}: Dann wird nichts abgeglichen, bis ein Admin erneut autorisiert."},
		next:    text{"Find out why nothing is synced; authorise the connection again if need be.", "Finden Sie heraus, warum nichts abgeglichen wird; autorisieren Sie die Verbindung nötigenfalls erneut."},
	},
	{directory.CodeScopeMissing, ""}: {
		found:   text{"The permission {scope} was not granted.", "Die Berechtigung {scope} wurde nicht erteilt."},
		follows: text{"What needs it does not work.", "Was sie braucht, funktioniert nicht."},
		next:    textFoundConsent,
	},
	{directory.CodeScopeMissing, directory.ScopeGroupMembers}: {
		found:   textFoundWanted,
		follows: text{"Who holds a directory role only through a group is not known; where groups hold roles, every run is held.", "Wer eine Verzeichnisrolle nur durch eine Gruppe hat, ist nicht bekannt; wo Gruppen Rollen haben, wartet jeder Lauf auf eine Entscheidung."},
		next:    textFoundWantedNext,
	},
	{directory.CodeScopeMissing, directory.ScopeAuditLog}: {
		found:   textFoundWanted,
		follows: text{"Nothing is compared with Microsoft's own log, and who changed a value there is not known.", "Nichts wird mit Microsofts eigenem Protokoll verglichen, und wer dort einen Wert geändert hat, ist nicht bekannt."},
		next:    textFoundWantedNext,
	},
	{directory.CodeScopeMissing, directory.ScopeGroups}: {
		found:   textFoundWanted,
		follows: text{"No group of the tenant is made or written to, and nobody becomes or ceases to be a member.", "Keine Gruppe des Mandanten wird angelegt oder geändert, und niemand wird Mitglied oder hört auf, es zu sein."},
		next:    textFoundWantedNext,
	},
	{directory.CodeScopeMissing, directory.ScopeLicences}: {
		found:   textFoundWanted,
		follows: text{"No licence is given or taken.", "Keine Lizenz wird vergeben oder entzogen."},
		next:    textFoundWantedNext,
	},

	// The work.
	{directory.CodeChangesWait, ""}: {
		found:   text{"A change has been waiting since {since}.", "Eine Änderung wartet seit {since}."},
		follows: text{"Accounts are not as the directory says.", "Die Konten sind nicht so, wie das Verzeichnis es sagt."},
		next:    text{"Nobody works on it: look at the alarms of sync and of its dead-letter queue, or start a run.", "Niemand arbeitet daran: Sehen Sie nach den Alarmen von sync und seiner Dead-Letter-Queue, oder starten Sie einen Lauf."},
	},
	{directory.CodeRunSlow, ""}: {
		found:   text{"A run has been open since {since}, with {changes} changes made.[ It waits: {why}.]", "Ein Lauf ist seit {since} offen; ausgeführte Änderungen: {changes}.[ Er wartet: {why}.]"},
		follows: text{"Accounts are not as the directory says until it is through.", "Bis er fertig ist, sind die Konten nicht so, wie das Verzeichnis es sagt."},
		next:    text{"Look at the run.", "Sehen Sie den Lauf an."},
	},
	{directory.CodeRunHeld, ""}: {
		count:   "runs",
		one:     text{"{runs} run is held for a decision.", "{runs} Lauf wartet auf eine Entscheidung."},
		found:   text{"{runs} runs are held for a decision.", "{runs} Läufe warten auf eine Entscheidung."},
		follows: text{"What they would change is not done until an admin decides.", "Was sie ändern würden, geschieht nicht, bis ein Admin entscheidet."},
		next:    text{"Approve or decline what is held.", "Genehmigen Sie, was wartet, oder lehnen Sie es ab."},
	},
	{directory.CodeNoGoodRun, ""}: {
		found:   text{"No run has ended well since {since}.", "Seit {since} ist kein Lauf gut zu Ende gegangen."},
		follows: text{"Changes at Microsoft and in the directory go unnoticed.", "Änderungen bei Microsoft und im Verzeichnis bleiben unbemerkt."},
		next:    text{"Look at the newest run of the connection.", "Sehen Sie den neuesten Lauf der Verbindung an."},
	},
	{directory.CodePagingLoop, ""}: {
		found:   text{"Microsoft's pages turned in a circle during this check: {why}", "Microsofts Seiten drehten sich bei dieser Prüfung im Kreis: {why}"},
		follows: text{"What was not read was not checked.", "Was nicht gelesen wurde, wurde nicht geprüft."},
		next:    text{"Check again later. If it stays so, open a case with Microsoft's support.", "Prüfen Sie später erneut. Bleibt es so, wenden Sie sich an Microsofts Support."},
	},
	{directory.CodePagingLoop, directory.VariantRounds}: {
		count:   "times",
		one:     text{"Microsoft's pages of the accounts turn in a circle, {times} time since {since}: {why}", "Microsofts Seiten der Konten drehen sich im Kreis, {times}-mal seit {since}: {why}"},
		found:   text{"Microsoft's pages of the accounts turn in a circle, {times} times in a row since {since}: {why}", "Microsofts Seiten der Konten drehen sich im Kreis, {times}-mal in Folge seit {since}: {why}"},
		follows: text{"What others change at Microsoft goes unnoticed; edits of the directory are written all the same.", "Was andere bei Microsoft ändern, bleibt unbemerkt; Änderungen des Verzeichnisses werden dennoch geschrieben."},
		next:    text{"It is tried again by itself. If it stays so, open a case with Microsoft's support.[ {first}]", "Es wird von selbst erneut versucht. Bleibt es so, wenden Sie sich an Microsofts Support.[ {first}]"},
	},

	// The tenant and its domains.
	{directory.CodeGoDaddy, ""}: {
		found:   text{"The tenant was sold by GoDaddy. What tells so: {signs}.", "Der Mandant wurde von GoDaddy verkauft. Anzeichen dafür: {signs}."},
		follows: text{"People sign in through GoDaddy. Passwords cannot be set, and changes to accounts may be undone or refused.", "Die Personen melden sich über GoDaddy an. Passwörter lassen sich nicht setzen, und Änderungen an Konten können rückgängig gemacht oder abgelehnt werden."},
		next:    text{"Have the domain defederated, so that its sign-in is managed by Microsoft (this ends GoDaddy's delegated administration and needs new passwords for everybody), then authorise as admin@NETORG….onmicrosoft.com.", "Lassen Sie den Verbund der Domäne aufheben, sodass Microsoft ihre Anmeldung verwaltet (das beendet GoDaddys delegierte Verwaltung und verlangt neue Passwörter für alle), und autorisieren Sie dann als admin@NETORG….onmicrosoft.com."},
	},
	{directory.CodeNoOwnDomain, ""}: {
		found:   text{"The tenant has no verified domain but its onmicrosoft.com one.", "Der Mandant hat außer seiner Domäne unter onmicrosoft.com keine bestätigte."},
		follows: text{"People's addresses cannot be those of their organisation.", "Die Adressen der Personen können nicht die ihrer Organisation sein."},
		next:    text{"Add and verify the organisation's domain, or map it by domainMap in the settings.", "Fügen Sie die Domäne der Organisation hinzu und bestätigen Sie sie, oder bilden Sie sie in den Einstellungen durch domainMap ab."},
	},
	{directory.CodeDomainNotVerified, ""}: {
		found:   text{"The tenant has the domain {domain}, and has not proved that it owns it.", "Der Mandant hat die Domäne {domain} und hat nicht nachgewiesen, dass sie ihm gehört."},
		follows: text{"No account can have an address in it.", "Kein Konto kann eine Adresse darin haben."},
		next:    text{"Verify the domain in the Microsoft 365 admin center, then claim it for the connection.", "Bestätigen Sie die Domäne im Microsoft 365 Admin Center, und beanspruchen Sie sie dann für die Verbindung."},
	},
	{directory.CodeDomainFederated, ""}: {
		found:   text{"People of {domain} do not sign in at Microsoft[, but at {host}].", "Die Personen von {domain} melden sich nicht bei Microsoft an[, sondern bei {host}]."},
		follows: text{"Passwords that Bindery gives to new accounts are of no use there; the other identity provider must know the people.", "Passwörter, die Bindery neuen Konten gibt, nützen dort nichts; der andere Identitätsanbieter muss die Personen kennen."},
		next:    text{"Make new people known to that identity provider as well, or have the domain managed by Microsoft.", "Machen Sie neue Personen auch jenem Identitätsanbieter bekannt, oder lassen Sie die Domäne von Microsoft verwalten."},
	},
	{directory.CodeDomainOffered, ""}: {
		found:   text{"The tenant has verified the domain {domain}, which the connection has not claimed.", "Der Mandant hat die Domäne {domain} bestätigt, die die Verbindung nicht beansprucht."},
		follows: text{"Users with addresses in it cannot be bound through this connection.", "Benutzer mit Adressen darin lassen sich nicht durch diese Verbindung binden."},
		next:    text{"Claim the domain on the connection's page.", "Beanspruchen Sie die Domäne auf der Seite der Verbindung."},
	},
	{directory.CodeDomainLost, ""}: {
		found:   text{"The domain {domain} is not a verified one of the tenant any more; it was found so on {on}.", "Die Domäne {domain} ist keine bestätigte des Mandanten mehr; festgestellt am {on}."},
		follows: text{"No account is made, or named, in it; its users are refused with domain-lost. It stays claimed.", "Kein Konto wird darin angelegt oder danach benannt; ihre Benutzer werden mit domain-lost abgelehnt. Sie bleibt beansprucht."},
		next:    text{"Verify the domain in the tenant again. If it is gone for good, give its users other addresses and release it.", "Bestätigen Sie die Domäne im Mandanten erneut. Ist sie für immer weg, geben Sie ihren Benutzern andere Adressen und geben Sie sie frei."},
	},
	{directory.CodeDomainClaimedElsewhere, ""}: {
		found:   text{"The domain {domain} is claimed by the connection {connection}.", "Die Domäne {domain} beansprucht die Verbindung {connection}."},
		follows: text{"Users of it cannot be bound through this connection.", "Ihre Benutzer lassen sich nicht durch diese Verbindung binden."},
		next:    text{"Deactivate that connection, or bind these users there.", "Deaktivieren Sie jene Verbindung, oder binden Sie diese Benutzer dort."},
	},
	{directory.CodeUsersOutsideDomains, ""}: {
		count:   "users",
		one:     text{"{users} user has an address in {domain}, which is no verified domain of the tenant.", "{users} Benutzer hat eine Adresse in {domain}, keiner bestätigten Domäne des Mandanten."},
		found:   text{"{users} users have addresses in {domain}, which is no verified domain of the tenant.", "{users} Benutzer haben Adressen in {domain}, keiner bestätigten Domäne des Mandanten."},
		follows: textFoundNotBound,
		next:    text{"Verify the domain in the tenant, map it by domainMap, or bind these users through another connection.", "Bestätigen Sie die Domäne im Mandanten, bilden Sie sie durch domainMap ab, oder binden Sie diese Benutzer durch eine andere Verbindung."},
	},
	{directory.CodeUsersOutsideDomains, directory.VariantOthers}: {
		count:   "domains",
		one:     text{"{domains} further domain of addresses is not the tenant's. Users with an address in it: {users}.", "{domains} weitere Domäne von Adressen gehört nicht dem Mandanten. Benutzer mit einer Adresse darin: {users}."},
		found:   text{"{domains} further domains of addresses are not the tenant's. Users with an address in one of them: {users}.", "{domains} weitere Domänen von Adressen gehören nicht dem Mandanten. Benutzer mit einer Adresse in einer davon: {users}."},
		follows: textFoundNotBound,
		next:    text{"Set defaultDomain if they shall have addresses in one of the tenant's domains.", "Setzen Sie defaultDomain, wenn sie Adressen in einer Domäne des Mandanten haben sollen."},
	},

	// Mail.
	{directory.CodeMXMissing, ""}: {
		found:   text{"{domain} has no MX record.", "{domain} hat keinen MX-Eintrag."},
		follows: text{"Mail to its addresses does not arrive.", "E-Mails an ihre Adressen kommen nicht an."},
		next:    text{"Set the MX record that Microsoft asks for[: {record}]. The Microsoft 365 admin center names it.", "Setzen Sie den MX-Eintrag, den Microsoft verlangt[: {record}]. Das Microsoft 365 Admin Center nennt ihn."},
	},
	{directory.CodeMXGeneric, ""}: {
		found:   text{"The MX record of {domain} is {hosts}, a name from before 2013.", "Der MX-Eintrag von {domain} ist {hosts}, ein Name aus der Zeit vor 2013."},
		follows: text{"Mail is delayed or lost: the name leads to Microsoft and not to this tenant.", "E-Mails verspäten sich oder gehen verloren: Der Name führt zu Microsoft und nicht zu diesem Mandanten."},
		next:    text{"Replace it by the record that Microsoft asks for[: {record}].", "Ersetzen Sie ihn durch den Eintrag, den Microsoft verlangt[: {record}]."},
	},
	{directory.CodeMXSeveral, ""}: {
		found:   text{"Mail of {domain} goes to Microsoft and to {providers}.", "E-Mails von {domain} gehen an Microsoft und an {providers}."},
		follows: text{"Which mailbox a mail reaches is chance, unless one of the two passes it on.", "Welches Postfach eine E-Mail erreicht, ist Zufall, wenn nicht einer der beiden sie weiterleitet."},
		next:    text{"Keep the MX records of one provider.", "Behalten Sie die MX-Einträge eines einzigen Anbieters."},
	},
	{directory.CodeMXGoogle, ""}: {
		found:   text{"Mail of {domain} goes to Google, and the domain is a verified one of this tenant as well.", "E-Mails von {domain} gehen an Google, und die Domäne ist auch eine bestätigte dieses Mandanten."},
		follows: text{"Both providers claim the domain: people have two mailboxes, and mail that is sent within Microsoft 365 does not reach the Google one.", "Beide Anbieter beanspruchen die Domäne: Die Personen haben zwei Postfächer, und E-Mails, die innerhalb von Microsoft 365 gesendet werden, erreichen das bei Google nicht."},
		next:    text{"Give Microsoft 365 a domain of its own and map it by domainMap, or move the mail.", "Geben Sie Microsoft 365 eine eigene Domäne und bilden Sie sie durch domainMap ab, oder ziehen Sie mit den E-Mails um."},
	},
	{directory.CodeMXOtherProvider, ""}: {
		found:   text{"Mail of {domain} goes to {providers}.", "E-Mails von {domain} gehen an {providers}."},
		follows: text{"It reaches Microsoft 365 only if that provider passes it on.", "Sie erreichen Microsoft 365 nur, wenn dieser Anbieter sie weiterleitet."},
		next:    text{"Leave it so if it is a mail filter; else set the MX record that Microsoft asks for[: {record}].", "Lassen Sie es so, wenn das ein E-Mail-Filter ist; setzen Sie sonst den MX-Eintrag, den Microsoft verlangt[: {record}]."},
	},
	{directory.CodeMXOfAnotherTenant, ""}: {
		found:   text{"The MX record of {domain} is {hosts}; Microsoft expects {record}.", "Der MX-Eintrag von {domain} ist {hosts}; Microsoft erwartet {record}."},
		follows: text{"Mail goes to another tenant or is refused.", "E-Mails gehen an einen anderen Mandanten oder werden abgelehnt."},
		next:    text{"Set {record}.", "Setzen Sie {record}."},
	},
	{directory.CodeSPFMissing, ""}: {
		found:   text{"{domain} has no SPF record.", "{domain} hat keinen SPF-Eintrag."},
		follows: text{"Mail of its people is taken for spam.", "E-Mails ihrer Personen gelten als Spam."},
		next:    text{"Set a TXT record: v=spf1 include:spf.protection.outlook.com -all.", "Setzen Sie einen TXT-Eintrag: v=spf1 include:spf.protection.outlook.com -all."},
	},
	{directory.CodeSPFSeveral, ""}: {
		found:   text{"{domain} has {records} SPF records.", "{domain} hat {records} SPF-Einträge."},
		follows: text{"Receivers treat that as an error (RFC 7208, 4.5).", "Empfänger behandeln das als Fehler (RFC 7208, 4.5)."},
		next:    text{"Make one record of them.", "Machen Sie daraus einen einzigen."},
	},
	{directory.CodeSPFWithoutMicrosoft, ""}: {
		found:   text{"The SPF record of {domain} does not name Microsoft: {spf}", "Der SPF-Eintrag von {domain} nennt Microsoft nicht: {spf}"},
		follows: text{"Mail that Microsoft 365 sends for the domain is taken for spam.", "E-Mails, die Microsoft 365 für die Domäne sendet, gelten als Spam."},
		next:    text{"Add include:spf.protection.outlook.com.", "Ergänzen Sie include:spf.protection.outlook.com."},
	},
	{directory.CodeAutodiscoverMissing, ""}: {
		found:   text{"{domain} has no autodiscover record.", "{domain} hat keinen Autodiscover-Eintrag."},
		follows: text{"Outlook does not find people's mailboxes by itself.", "Outlook findet die Postfächer der Personen nicht von selbst."},
		next:    text{"Set a CNAME record for autodiscover to autodiscover.outlook.com.", "Setzen Sie für autodiscover einen CNAME-Eintrag auf autodiscover.outlook.com."},
	},
	{directory.CodeAutodiscoverElsewhere, ""}: {
		found:   text{"Autodiscover of {domain} leads to {host}.", "Autodiscover von {domain} führt zu {host}."},
		follows: text{"Outlook looks for people's mailboxes there.", "Outlook sucht die Postfächer der Personen dort."},
		next:    text{"Set a CNAME record to autodiscover.outlook.com, unless mailboxes are there still.", "Setzen Sie einen CNAME-Eintrag auf autodiscover.outlook.com, wenn dort keine Postfächer mehr sind."},
	},
	{directory.CodeDNSFailure, ""}: {
		found:   text{"The {type} of {domain} could not be looked up: {why}", "Der {type}-Eintrag von {domain} konnte nicht nachgeschlagen werden: {why}"},
		follows: text{"It is not known whether mail reaches the tenant.", "Es ist nicht bekannt, ob E-Mails den Mandanten erreichen."},
		next:    text{"Look at the domain's name servers; the check is repeated daily.", "Sehen Sie nach den Nameservern der Domäne; die Prüfung wird täglich wiederholt."},
	},

	// People.
	{directory.CodeAddressClash, ""}: {
		count:   "users",
		one:     text{"{users} user's address is somebody else's in the tenant[: {example}][ ({detail})].", "Die Adresse von {users} Benutzer hat im Mandanten jemand anders[: {example}][ ({detail})]."},
		found:   text{"{users} users' addresses are somebody else's in the tenant[, for example {example}][ ({detail})].", "Die Adressen von {users} Benutzern hat im Mandanten jemand anders[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"Their accounts cannot be made or adopted.", "Ihre Konten lassen sich weder anlegen noch übernehmen."},
		next:    text{"Take the address from the other, or change the user's; for a deleted account, restore it or delete it for good.", "Nehmen Sie dem anderen die Adresse, oder ändern Sie die des Benutzers; ein gelöschtes Konto stellen Sie wieder her oder löschen es endgültig."},
	},
	{directory.CodeAccountsSynced, ""}: {
		count:   "users",
		one:     text{"{users} user's account is synced from an Active Directory[: {example}][ ({detail})].", "Das Konto von {users} Benutzer wird aus einem Active Directory synchronisiert[: {example}][ ({detail})]."},
		found:   text{"{users} users' accounts are synced from an Active Directory[, for example {example}][ ({detail})].", "Die Konten von {users} Benutzern werden aus einem Active Directory synchronisiert[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"Microsoft refuses changes to them: Active Directory owns them. Their bindings are read-only.", "Microsoft lehnt Änderungen daran ab: Sie gehören dem Active Directory. Ihre Bindungen sind nur lesbar."},
		next:    text{"Change them in that Active Directory; bind the others.", "Ändern Sie sie in jenem Active Directory; binden Sie die anderen."},
	},
	{directory.CodeAccountsBlocked, ""}: {
		count:   "users",
		one:     text{"{users} user's account is blocked[: {example}][ ({detail})].", "Das Konto von {users} Benutzer ist gesperrt[: {example}][ ({detail})]."},
		found:   text{"{users} users' accounts are blocked[, for example {example}][ ({detail})].", "Die Konten von {users} Benutzern sind gesperrt[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"Adopting a blocked account is a conflict, which an admin decides.", "Ein gesperrtes Konto zu übernehmen ist ein Konflikt, den ein Admin entscheidet."},
		next:    text{"Unblock the accounts of people who work here; leave the others unbound.", "Entsperren Sie die Konten derer, die hier arbeiten; lassen Sie die anderen ungebunden."},
	},
	{directory.CodeAccountsGuest, ""}: {
		count:   "users",
		one:     text{"{users} user's account is a guest's[: {example}][ ({detail})].", "Das Konto von {users} Benutzer ist das eines Gasts[: {example}][ ({detail})]."},
		found:   text{"{users} users' accounts are guests'[, for example {example}][ ({detail})].", "Die Konten von {users} Benutzern sind die von Gästen[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"A guest's account is not adopted.", "Das Konto eines Gasts wird nicht übernommen."},
		next:    text{"Remove the guest, or give the user another address.", "Entfernen Sie den Gast, oder geben Sie dem Benutzer eine andere Adresse."},
	},
	{directory.CodeAccountsExternal, ""}: {
		count:   "users",
		one:     text{"{users} user's account is an external member's[: {example}][ ({detail})].", "Das Konto von {users} Benutzer ist das eines externen Mitglieds[: {example}][ ({detail})]."},
		found:   text{"{users} users' accounts are external members'[, for example {example}][ ({detail})].", "Die Konten von {users} Benutzern sind die externer Mitglieder[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"An external member's account is neither adopted nor written: its person signs in at another tenant or provider.", "Das Konto eines externen Mitglieds wird weder übernommen noch geändert: Die Person meldet sich bei einem anderen Mandanten oder Anbieter an."},
		next:    text{"Bind the user through the connection of its own tenant, or have the account converted to an internal one.", "Binden Sie den Benutzer durch die Verbindung seines eigenen Mandanten, oder lassen Sie das Konto in ein internes umwandeln."},
	},
	{directory.CodeDataRefused, ""}: {
		count:   "users",
		one:     text{"{users} user has a value that Microsoft refuses[: {example}][ ({detail})].", "{users} Benutzer hat einen Wert, den Microsoft ablehnt[: {example}][ ({detail})]."},
		found:   text{"{users} users have values that Microsoft refuses[, for example {example}][ ({detail})].", "{users} Benutzer haben Werte, die Microsoft ablehnt[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"The other values are written, but no account is created without an address and a displayName.", "Die anderen Werte werden geschrieben, doch ohne Adresse und displayName wird kein Konto angelegt."},
		next:    text{"Correct the users; each problem says what.", "Berichtigen Sie die Benutzer; jedes Problem sagt, was."},
	},
	{directory.CodeValuesRefused, ""}: {
		count:   "users",
		one:     text{"{users} user has single values that Microsoft did not take[: {example}][ ({detail})].", "{users} Benutzer hat einzelne Werte, die Microsoft nicht angenommen hat[: {example}][ ({detail})]."},
		found:   text{"{users} users have single values that Microsoft did not take[, for example {example}][ ({detail})].", "{users} Benutzer haben einzelne Werte, die Microsoft nicht angenommen hat[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"They are not sent again until they change. The rest is in sync.", "Sie werden erst wieder gesendet, wenn sie sich ändern. Alles Übrige ist im Einklang."},
		next:    text{"Correct the values, or switch their export off; once the cause is gone, retry the binding.", "Berichtigen Sie die Werte, oder schalten Sie ihren Export ab; ist die Ursache behoben, versuchen Sie die Bindung erneut."},
	},
	{directory.CodeValuesKeptOtherwise, ""}: {
		count:   "users",
		one:     text{"Values of {users} user are kept by Microsoft in another form, or not at all[: {example}][ ({detail})].", "Werte von {users} Benutzer behält Microsoft in anderer Form oder gar nicht[: {example}][ ({detail})]."},
		found:   text{"Values of {users} users are kept by Microsoft in another form, or not at all[, for example {example}][ ({detail})].", "Werte von {users} Benutzern behält Microsoft in anderer Form oder gar nicht[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"That counts as agreed and is not written again.", "Das gilt als vereinbart und wird nicht erneut geschrieben."},
		next:    text{"Nothing has to be done. Where the values matter, look what in Microsoft 365 sets them.", "Zu tun ist nichts. Wo es auf die Werte ankommt, sehen Sie nach, was sie in Microsoft 365 setzt."},
	},
	{directory.CodeDirectoryDuplicates, ""}: {
		count:   "users",
		one:     text{"{users} user shares a value that tells people apart with another[: {example}][ ({detail})].", "{users} Benutzer teilt einen Wert, der Personen unterscheidet, mit jemandem[: {example}][ ({detail})]."},
		found:   text{"{users} users share a value that tells people apart with others[, for example {example}][ ({detail})].", "{users} Benutzer teilen einen Wert, der Personen unterscheidet, mit anderen[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"One of two may get the other's account or mail.", "Einer von zweien kann das Konto oder die E-Mails des anderen bekommen."},
		next:    text{"Correct one of the two.", "Berichtigen Sie einen der beiden."},
	},
	{directory.CodeNotAllLookedAt, ""}: {
		found:   text{"The directory or the tenant is too large for one check.", "Das Verzeichnis oder der Mandant ist zu groß für eine Prüfung."},
		follows: text{"Only a part of the users was compared with the tenant's accounts.", "Nur ein Teil der Benutzer wurde mit den Konten des Mandanten verglichen."},
		next:    text{"“Plan only” looks at everybody.", "„Nur planen“ sieht alle an."},
	},
	{directory.CodeNotAllLookedAt, directory.VariantGroups}: {
		found:   text{"There are more groups, members or licences than one check looks at.", "Es gibt mehr Gruppen, Mitglieder oder Lizenzen, als eine Prüfung ansieht."},
		follows: text{"Only a part of them was looked at.", "Nur ein Teil davon wurde angesehen."},
		next:    text{"“Plan only” looks at everything, and the connection's problems count all.", "„Nur planen“ sieht alles an, und die Probleme der Verbindung zählen alle."},
	},

	// Groups.
	{directory.CodeExportGone, ""}: {
		count:   "groups",
		one:     text{"The tenant group of {groups} exported group is not there[: {example}][ ({detail})].", "Die Gruppe des Mandanten zu {groups} exportierten Gruppe gibt es nicht[: {example}][ ({detail})]."},
		found:   text{"The tenant groups of {groups} exported groups are not there[, for example {example}][ ({detail})].", "Die Gruppen des Mandanten zu {groups} exportierten Gruppen gibt es nicht[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"Nobody gets what these groups give access to; nothing is written to their members.", "Niemand bekommt, wozu diese Gruppen Zugang geben; an ihren Mitgliedern wird nichts geändert."},
		next:    text{"Restore the tenant group in Entra while it is in the recycle bin, or set onSoftDeleted to restore, or end the use and export the group anew.", "Stellen Sie die Gruppe in Entra wieder her, solange sie im Papierkorb ist, oder setzen Sie onSoftDeleted auf restore, oder beenden Sie die Verwendung und exportieren Sie die Gruppe neu."},
	},
	{directory.CodeExportReadOnly, ""}: {
		count:   "groups",
		one:     text{"{groups} exported group may not be written to in the tenant any more[: {example}][ ({detail})].", "{groups} exportierte Gruppe darf im Mandanten nicht mehr geändert werden[: {example}][ ({detail})]."},
		found:   text{"{groups} exported groups may not be written to in the tenant any more[, for example {example}][ ({detail})].", "{groups} exportierte Gruppen dürfen im Mandanten nicht mehr geändert werden[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"Bindery never writes to such a group: who joins or leaves ours does not follow there.", "Bindery ändert solche Gruppen nie: Wer in unsere kommt oder aus ihr geht, folgt dort nicht."},
		next:    text{"Take back in Entra what made it so, or end the use and export the group as one of its own.", "Nehmen Sie in Entra zurück, was sie dazu gemacht hat, oder beenden Sie die Verwendung und exportieren Sie die Gruppe als eigene."},
	},
	{directory.CodeGroupNamesake, ""}: {
		count:   "groups",
		one:     text{"The name of {groups} exported group is another tenant group's as well[: {example}][ ({detail})].", "Den Namen von {groups} exportierten Gruppe hat im Mandanten auch eine andere[: {example}][ ({detail})]."},
		found:   text{"The names of {groups} exported groups are other tenant groups' as well[, for example {example}][ ({detail})].", "Die Namen von {groups} exportierten Gruppen haben im Mandanten auch andere[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"Two groups of one name are mixed up: people are given access by the one that is not kept in step.", "Zwei Gruppen eines Namens werden verwechselt: Zugang wird über die gegeben, die nicht abgeglichen wird."},
		next:    text{"Where it is the same group, end the use and export the group anew by adopting that one; otherwise rename one of the two.", "Ist es dieselbe Gruppe, beenden Sie die Verwendung und exportieren Sie die Gruppe neu, indem Sie jene übernehmen; benennen Sie sonst eine der beiden um."},
	},
	{directory.CodeMembersNotBound, ""}: {
		count:   "users",
		one:     text{"{users} member of exported groups has no account through the connection[: {example}][ ({detail})].", "{users} Mitglied exportierter Gruppen hat kein Konto durch die Verbindung[: {example}][ ({detail})]."},
		found:   text{"{users} members of exported groups have no account through the connection[, for example {example}][ ({detail})].", "{users} Mitglieder exportierter Gruppen haben kein Konto durch die Verbindung[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"They are no members of the tenant groups, and get nothing by them.", "Sie sind keine Mitglieder der Gruppen des Mandanten und bekommen durch diese nichts."},
		next:    text{"Bind them, or have the use of the group select its members.", "Binden Sie sie, oder lassen Sie die Verwendung der Gruppe ihre Mitglieder auswählen."},
	},

	// Licences.
	{directory.CodeUsageLocationMissing, ""}: {
		count:   "users",
		one:     text{"{users} user is to have a licence and has no country in which it is sold[: {example}][ ({detail})].", "{users} Benutzer soll eine Lizenz haben und hat kein Land, in dem sie verkauft wird[: {example}][ ({detail})]."},
		found:   text{"{users} users are to have a licence and have no country in which it is sold[, for example {example}][ ({detail})].", "{users} Benutzer sollen eine Lizenz haben und haben kein Land, in dem sie verkauft wird[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"Microsoft gives no licence to an account without a country, or with one where the product is not sold.", "Microsoft gibt keinem Konto eine Lizenz, das kein Land hat oder eines, in dem das Produkt nicht verkauft wird."},
		next:    text{"Give the users a usageLocation and export it, or set defaultUsageLocation.", "Geben Sie den Benutzern eine usageLocation und exportieren Sie sie, oder setzen Sie defaultUsageLocation."},
	},
	{directory.CodeSeatsMissing, ""}: {
		count:   "users",
		one:     text{"{users} user waits for a seat[: {example}][ ({detail})].", "{users} Benutzer wartet auf eine Lizenz[: {example}][ ({detail})]."},
		found:   text{"{users} users wait for a seat[, for example {example}][ ({detail})].", "{users} Benutzer warten auf eine Lizenz[, zum Beispiel {example}][ ({detail})]."},
		follows: text{"They have no mailbox and no other service of the product until a seat comes free.", "Bis eine frei wird, haben sie kein Postfach und keinen anderen Dienst des Produkts."},
		next:    text{"Buy seats, or free those of accounts that need none. Who waits gets one by itself.", "Kaufen Sie Lizenzen, oder geben Sie die von Konten frei, die keine brauchen. Wer wartet, bekommt von selbst eine."},
	},
	{directory.CodeSeatsOnDisabled, ""}: {
		count:   "seats",
		one:     text{"{seats} seat of {product} that Bindery gave is held by somebody who is suspended or deleted[: {example}].", "{seats} Lizenz für {product}, die Bindery vergeben hat, hat jemand, der deaktiviert oder gelöscht ist[: {example}]."},
		found:   text{"{seats} seats of {product} that Bindery gave are held by people who are suspended or deleted[, for example {example}].", "{seats} Lizenzen für {product}, die Bindery vergeben hat, haben Personen, die deaktiviert oder gelöscht sind[, zum Beispiel {example}]."},
		follows: textFoundUnused,
		next:    text{"Take these people out of the groups that license them, once their mailboxes are not needed any more.", "Nehmen Sie diese Personen aus den Gruppen, die sie lizenzieren, sobald ihre Postfächer nicht mehr gebraucht werden."},
	},
	{directory.CodeSeatsEmpty, ""}: {
		found:   text{"{seats} of {of} seats of {product} are not used.[ To how many people Bindery has given it: {people}.]", "{seats} von {of} Lizenzen für {product} werden nicht genutzt.[ Von Bindery an Personen vergeben: {people}.]"},
		follows: textFoundUnused,
		next:    text{"License people who need them, or buy fewer.", "Lizenzieren Sie Personen, die sie brauchen, oder kaufen Sie weniger."},
	},
	{directory.CodeSubscriptionEnding, ""}: {
		count:   "seats",
		one:     text{"{seats} seat of {product} is in its grace: the subscription has ended and was not renewed.[ To how many people Bindery has given it: {people}.]", "{seats} Lizenz für {product} ist in der Nachfrist: Das Abonnement ist abgelaufen und wurde nicht verlängert.[ Von Bindery an Personen vergeben: {people}.]"},
		found:   text{"{seats} seats of {product} are in their grace: the subscription has ended and was not renewed.[ To how many people Bindery has given it: {people}.]", "{seats} Lizenzen für {product} sind in der Nachfrist: Das Abonnement ist abgelaufen und wurde nicht verlängert.[ Von Bindery an Personen vergeben: {people}.]"},
		follows: text{"After the grace Microsoft suspends the product, and later deletes what people have in it.", "Nach der Nachfrist sperrt Microsoft das Produkt und löscht später, was die Personen darin haben."},
		next:    textFoundRenew,
	},
	{directory.CodeSubscriptionSuspended, ""}: {
		found:   text{"{product} is {status} at Microsoft; seats that are suspended or locked: {seats}.[ To how many people Bindery has given it: {people}.]", "{product} steht bei Microsoft auf {status}; gesperrte Lizenzen: {seats}.[ Von Bindery an Personen vergeben: {people}.]"},
		follows: text{"Nobody can be given it; who has it loses its services, and later what is in them.", "Niemand kann es bekommen; wer es hat, verliert seine Dienste und später, was darin ist."},
		next:    textFoundRenew,
	},
	{directory.CodeGroupLicenceErrors, ""}: {
		count:   "members",
		one:     text{"Microsoft could not give {members} member of the tenant group {group} all that it licenses it for.", "Microsoft konnte {members} Mitglied der Gruppe {group} des Mandanten nicht alles geben, wofür sie lizenziert."},
		found:   text{"Microsoft could not give {members} members of the tenant group {group} all that it licenses them for.", "Microsoft konnte {members} Mitgliedern der Gruppe {group} des Mandanten nicht alles geben, wofür sie lizenziert."},
		follows: text{"Where one product of a group cannot be given to a member, the member gets none of the group's.", "Kann ein Mitglied eines der Produkte einer Gruppe nicht bekommen, bekommt es keines davon."},
		next:    text{"Look at the group's licences in the Microsoft 365 admin center, free seats or correct what it names there, then reprocess the group: Microsoft does not try again at once.", "Sehen Sie die Lizenzen der Gruppe im Microsoft 365 Admin Center an, geben Sie Lizenzen frei oder berichtigen Sie, was dort genannt wird, und lassen Sie die Gruppe dann erneut verarbeiten: Microsoft versucht es nicht gleich wieder."},
	},

	// Clients that push by SCIM.
	{directory.CodeScimClientWaiting, ""}: {
		found:   text{"The client was set up on {on} and has sent nothing yet.", "Der Client wurde am {on} eingerichtet und hat noch nichts gesendet."},
		follows: text{"Nobody reaches the directory through it.", "Durch ihn erreicht niemand das Verzeichnis."},
		next:    text{"Finish its set-up at the identity provider, with the address and a token of the client; or delete the client.", "Schließen Sie die Einrichtung beim Identitätsanbieter ab, mit der Adresse und einem Token des Clients; oder löschen Sie den Client."},
	},
	{directory.CodeScimClientSilent, ""}: {
		found:   text{"The client has sent nothing since {on}.", "Der Client hat seit dem {on} nichts gesendet."},
		follows: text{"If its identity provider has switched it off, or cannot get through, people who leave keep their access.", "Hat sein Identitätsanbieter ihn abgeschaltet oder kommt er nicht durch, behält seinen Zugang, wer geht."},
		next:    text{"Look at the provisioning page of the identity provider. If so long a silence is usual for it, set the client's silentDays higher, or to 0.", "Sehen Sie die Bereitstellungsseite des Identitätsanbieters an. Schweigt er gewöhnlich so lange, setzen Sie silentDays des Clients höher oder auf 0."},
	},
	{directory.CodeScimClientPaused, ""}: {
		found:   text{"The client is paused: its requests are answered with 503.[ Its last request was on {on}.]", "Der Client ist pausiert: Seine Anfragen werden mit 503 beantwortet.[ Seine letzte Anfrage war am {on}.]"},
		follows: text{"Nobody who joins, changes or leaves there reaches the directory, and its identity provider gives up after some days (Entra: quarantine).", "Wer dort dazukommt, sich ändert oder geht, erreicht das Verzeichnis nicht, und der Identitätsanbieter gibt nach einigen Tagen auf (Entra: Quarantäne)."},
		next:    text{"Let the client go on when what it was paused for is mended.", "Lassen Sie den Client weiterarbeiten, wenn behoben ist, wofür er pausiert wurde."},
	},
	{directory.CodeScimRequestsRefused, ""}: {
		count:   "refused",
		one:     text{"{refused} request, of {requests} in the last 24 hours, was refused. The reason: {answer}[, {why}][ Not counted, as they pass by themselves or asked for somebody who is not there: {passing}.]", "{refused} Anfrage, von {requests} der letzten 24 Stunden, wurde abgelehnt. Der Grund: {answer}[, {why}][ Nicht mitgezählt, weil von selbst erledigt oder auf der Suche nach jemandem, den es nicht gibt: {passing}.]"},
		found:   text{"{refused} of {requests} requests of the last 24 hours were refused. The commonest reason ({often} of them): {answer}[, {why}][ Not counted, as they pass by themselves or asked for somebody who is not there: {passing}.]", "{refused} von {requests} Anfragen der letzten 24 Stunden wurden abgelehnt. Der häufigste Grund ({often} davon): {answer}[, {why}][ Nicht mitgezählt, weil von selbst erledigt oder auf der Suche nach jemandem, den es nicht gibt: {passing}.]"},
		follows: textFoundRefused, next: textFoundRefusedNext,
	},
	{directory.CodeScimRequestsRefused, directory.VariantNewest}: {
		count:   "refused",
		one:     text{"{refused} request, of the newest {requests}, was refused. The reason: {answer}[, {why}][ Not counted, as they pass by themselves or asked for somebody who is not there: {passing}.]", "{refused} Anfrage, von den neuesten {requests}, wurde abgelehnt. Der Grund: {answer}[, {why}][ Nicht mitgezählt, weil von selbst erledigt oder auf der Suche nach jemandem, den es nicht gibt: {passing}.]"},
		found:   text{"{refused} of the {requests} newest requests were refused. The commonest reason ({often} of them): {answer}[, {why}][ Not counted, as they pass by themselves or asked for somebody who is not there: {passing}.]", "{refused} der {requests} neuesten Anfragen wurden abgelehnt. Der häufigste Grund ({often} davon): {answer}[, {why}][ Nicht mitgezählt, weil von selbst erledigt oder auf der Suche nach jemandem, den es nicht gibt: {passing}.]"},
		follows: textFoundRefused, next: textFoundRefusedNext,
	},
	{directory.CodeScimTokenEnding, ""}: {
		found: textFoundTokenEnds, follows: textFoundTokenThen,
		next: text{"Make another token of the client, put it into the identity provider, and revoke this one when the new one is used.", "Erstellen Sie ein weiteres Token des Clients, tragen Sie es beim Identitätsanbieter ein, und widerrufen Sie dieses, sobald das neue verwendet wird."},
	},
	{directory.CodeScimTokenEnding, directory.VariantUnused}: {
		found: textFoundTokenEnds, follows: textFoundTokenThen,
		next: text{"The next token has been made and is not used yet: put it into the identity provider. If it is lost, revoke it and make another one.", "Das nächste Token ist erstellt und wird noch nicht verwendet: Tragen Sie es beim Identitätsanbieter ein. Ist es verloren, widerrufen Sie es und erstellen ein anderes."},
	},
	{directory.CodeScimTokenEnded, ""}: {
		found:   text{"All tokens of the client have expired or were revoked.[ Its last request was on {on}.]", "Alle Token des Clients sind abgelaufen oder widerrufen.[ Seine letzte Anfrage war am {on}.]"},
		follows: textFoundNobody,
		next:    text{"Make a token of the client and put it into the identity provider; or delete the client.", "Erstellen Sie ein Token des Clients und tragen Sie es beim Identitätsanbieter ein; oder löschen Sie den Client."},
	},
}
