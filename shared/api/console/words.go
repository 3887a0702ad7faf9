package console

import "bindery/shared/directory"

// Every text that the console shows, in English and in German. What others wrote, and
// what the API says in sentences, is not here.

// What stands around every page.
var (
	textHome        = text{"Home", "Übersicht"}
	textConnections = text{"Connections", "Verbindungen"}
	textNavigation  = text{"Main", "Hauptbereiche"}
	textWhere       = text{"Where you are", "Wo Sie sind"}
	textTabs        = text{"Parts of the connection", "Teile der Verbindung"}
	textPages       = text{"Pages", "Seiten"}
	textSkip        = text{"Skip to the content", "Zum Inhalt springen"}
	textEnvironment = text{"Installation: ", "Installation: "}
	textLanguage    = text{"Language", "Sprache"}
	textTheme       = text{"Colours", "Farben"}
	textThemeSystem = text{"As the system", "Wie das System"}
	textThemeLight  = text{"Light", "Hell"}
	textThemeDark   = text{"Dark", "Dunkel"}
	textMe          = text{"You and this console", "Sie und diese Konsole"}
	textSignOut     = text{"Sign out", "Abmelden"}
	textSearchAll   = text{"Search users, groups and connections", "Benutzer, Gruppen und Verbindungen suchen"}
	textKeys        = text{"Keys: ?", "Tasten: ?"}
	textCopied      = text{"Copied", "Kopiert"}
	textWorking     = text{"Working…", "Wird erledigt…"}
	textChosen      = text{"{n} of {of} chosen", "{n} von {of} ausgewählt"}
	textChosenAll   = text{"{n} of {of} on this page, {all} in all", "{n} von {of} auf dieser Seite, {all} insgesamt"}
	textClose       = text{"Close", "Schließen"}
	textAsCall      = text{"As a call of the API", "Als Aufruf der API"}
	textFirstPage   = text{"First page", "Erste Seite"}
	textNextPage    = text{"Next page", "Nächste Seite"}
	textAndMore     = text{"And more than are listed here.", "Und mehr, als hier stehen."}
	textSeeAll      = text{"See all", "Alle ansehen"}
	textLook        = text{"Look", "Ansehen"}
	textBack        = text{"Back", "Zurück"}
	textToHome      = text{"To the overview", "Zur Übersicht"}
	textNone        = text{"(none)", "(keine)"}
	textAny         = text{"any", "alle"}
	textYes         = text{"yes", "ja"}
	textNo          = text{"no", "nein"}
	textUnknown     = text{"not known", "nicht bekannt"}
	textNever       = text{"never", "nie"}
)

// Searching in all places.
var (
	textOfConnection        = text{"%s: %s", "%s: %s"}
	textFoundFor            = text{"Found for “%s”", "Gefunden zu „%s“"}
	textNothingSearched     = text{"Type a part of a name, an address or an ID into the search above. The ID of a run or of a job leads to its page.", "Geben Sie oben einen Teil eines Namens, eine Adresse oder eine ID ein. Die ID eines Laufs oder eines Auftrags führt zu seiner Seite."}
	textUnseen              = text{"What is filtered by (%s) has a line break or characters that are not seen: nothing was looked for, and nothing was done. Type it anew.", "Wonach gefiltert wird (%s), enthält einen Zeilenumbruch oder unsichtbare Zeichen: Es wurde nichts gesucht und nichts getan. Tippen Sie es neu."}
	textFilterTooLong       = text{"What is filtered by (%s) is longer than %s bytes: nothing was looked for, and nothing was done. Filter by a part of it.", "Wonach gefiltert wird (%s), ist länger als %s Bytes: Es wurde nichts gesucht und nichts getan. Filtern Sie nach einem Teil davon."}
	textSearchTooLong       = text{"The text is longer than anything that could be found by it. Search for a part of a name, an address or an ID.", "Der Text ist länger als alles, was sich damit finden ließe. Suchen Sie nach einem Teil eines Namens, einer Adresse oder einer ID."}
	textNoConnectionMatches = text{"No connection is like that.", "Keine Verbindung ist so."}
)

// textUser is whom a row is about.
var textUser = text{"User", "Benutzer"}

// What a change is of.
var (
	textPropSignIn     = text{"Sign-in", "Anmeldung"}
	textPropSignInName = text{"Sign-in name", "Anmeldename"}
	textOfDepartment   = text{"department", "der Abteilung"}
	textOfDomain       = text{"domain", "der Domäne"}
)

// The chart of days.
var (
	textChartMost   = text{"at most %s a day", "höchstens %s am Tag"}
	textChartLegend = text{"Written, and failed on top of it", "Geschrieben, und darüber gescheitert"}
)

// Times.
var (
	textJustNow = text{"just now", "gerade eben"}
	textAgo     = text{"%s ago", "vor %s"}
	textSince   = text{"since", "seit"}
	textUntil   = text{"until", "bis"}
	textSeconds = number{text{"%s second", "%s Sekunde"}, text{"%s seconds", "%s Sekunden"}}
	textMinutes = number{text{"%s minute", "%s Minute"}, text{"%s minutes", "%s Minuten"}}
	textHours   = number{text{"%s hour", "%s Stunde"}, text{"%s hours", "%s Stunden"}}
	textDays    = number{text{"%s day", "%s Tag"}, text{"%s days", "%s Tage"}}
)

// Signing in, and out.
var (
	textSignIn         = text{"Sign in", "Anmelden"}
	textWhatIsThis     = text{"Bindery keeps accounts, groups and licences of Microsoft 365 as your own directory says.", "Bindery hält Konten, Gruppen und Lizenzen in Microsoft 365 so, wie es das eigene Verzeichnis sagt."}
	textContinueWith   = text{"Continue with %s", "Weiter mit %s"}
	textSignInNote     = text{"You are asked there who you are. No password is typed into this console.", "Dort werden Sie gefragt, wer Sie sind. In dieser Konsole wird kein Passwort eingegeben."}
	textSignInAgain    = text{"Sign in again", "Erneut anmelden"}
	textEndedMore      = text{"Your session has ended. Sign in again and you come back to where you were.", "Ihre Sitzung ist zu Ende. Nach erneuter Anmeldung geht es dort weiter, wo Sie waren."}
	textNotSignedIn    = text{"You are not signed in", "Sie sind nicht angemeldet"}
	textIssuerAway     = text{"The identity provider does not answer. Try again in a moment; if it stays so, whoever runs this installation finds the reason in its log.", "Der Anmeldedienst antwortet nicht. Versuchen Sie es gleich noch einmal; bleibt es dabei, steht der Grund im Protokoll dieser Installation."}
	textSignInBroken   = text{"The sign-in could not be finished. The log of this installation says why.", "Die Anmeldung konnte nicht abgeschlossen werden. Das Protokoll dieser Installation sagt, warum."}
	textSignInExpired  = text{"This sign-in is not the one that was begun in this browser, or it took longer than ten minutes. Begin anew.", "Diese Anmeldung wurde nicht in diesem Browser begonnen oder hat länger als zehn Minuten gedauert. Bitte neu beginnen."}
	textWrongIssuer    = text{"The answer came from another identity provider than the one that was asked. Nothing was taken from it.", "Die Antwort kam von einem anderen Anmeldedienst als dem gefragten. Nichts wurde daraus übernommen."}
	textIssuerRefused  = text{"The identity provider did not let you in.", "Der Anmeldedienst hat Sie nicht eingelassen."}
	textNoScopes       = text{"Your token lacks the scope bindery/read, without which there is nothing to see. Whoever runs the identity provider can give it to you. What the token has:", "Ihrem Token fehlt der Scope bindery/read, ohne den es nichts zu sehen gibt. Wer den Anmeldedienst betreibt, kann ihn erteilen. Was das Token hat:"}
	textNotFresh       = text{"The identity provider did not ask you again, although it was told to. What you were about to do needs a sign-in of the last five minutes: sign out there, and try again.", "Der Anmeldedienst hat Sie nicht erneut gefragt, obwohl er darum gebeten wurde. Das Vorhaben braucht eine Anmeldung der letzten fünf Minuten: Melden Sie sich dort ab und versuchen Sie es noch einmal."}
	textSignedOut      = text{"You are signed out", "Sie sind abgemeldet"}
	textSignedOutMore  = text{"The session of this console has ended, and its tokens are deleted.", "Die Sitzung dieser Konsole ist beendet, und ihre Token sind gelöscht."}
	textSignOutThere   = text{"Sign out at %s as well", "Auch bei %s abmelden"}
	textSessionEnded   = text{"Your session has ended", "Ihre Sitzung ist zu Ende"}
	textNothingDone    = text{"Nothing was done of what you sent, and it is kept on this page: sign in again in another tab, and send it once more from here.", "Nichts von dem, was Sie gesendet haben, wurde ausgeführt, und es bleibt auf dieser Seite: Melden Sie sich in einem anderen Tab erneut an, und senden Sie es von hier noch einmal."}
	textBeingDone      = text{"You have sent the same a moment ago, and it is still being done. Look again in a moment.", "Sie haben dasselbe gerade eben gesendet, und es wird noch ausgeführt. Sehen Sie gleich noch einmal nach."}
	textMaybeDone      = text{"You have sent the same a moment ago, and no answer came in time: it may have been done. Look before you send it again; in two minutes it is taken as new.", "Sie haben dasselbe gerade eben gesendet, und es kam nicht rechtzeitig eine Antwort: Es kann ausgeführt sein. Sehen Sie nach, bevor Sie es noch einmal senden; in zwei Minuten gilt es als neu."}
	textSendAgain      = text{"Send once more", "Noch einmal senden"}
	textWhatWasSent    = text{"What you sent", "Was Sie gesendet haben"}
	textWhatWasSentIs  = text{"It is kept here. Mend it if need be, and send it once more.", "Es bleibt hier. Ändern Sie es, wenn nötig, und senden Sie es noch einmal."}
	textWantsFresh     = text{"This needs a sign-in of the last five minutes. Nothing was done.", "Dafür braucht es eine Anmeldung der letzten fünf Minuten. Nichts wurde ausgeführt."}
	textWantsFreshMore = text{"What cannot be taken back needs a sign-in of the last five minutes. You come back to this page.", "Was sich nicht zurücknehmen lässt, braucht eine Anmeldung der letzten fünf Minuten. Danach geht es auf dieser Seite weiter."}
)

// What goes wrong.
var (
	textNotDone       = text{"That was not done", "Das wurde nicht ausgeführt"}
	textRefused       = text{"Why", "Warum"}
	textUnknownDone   = text{"No answer: it may have been done", "Keine Antwort: Es kann ausgeführt sein"}
	textNotShown      = text{"This page did not come", "Diese Seite kam nicht"}
	textBusy          = text{"The service is busy, or just starting. Nothing of it is lost: try again in %s.", "Der Dienst ist ausgelastet oder startet gerade. Nichts geht verloren: Versuchen Sie es in %s noch einmal."}
	textNoReason      = text{"No reason was given.", "Es wurde kein Grund genannt."}
	textWhatNow       = text{"What to do:", "Was zu tun ist:"}
	textOurFault      = text{"This page could not be made. Try again; if it stays so, the log of this installation says why.", "Diese Seite konnte nicht erstellt werden. Versuchen Sie es noch einmal; bleibt es dabei, steht der Grund im Protokoll dieser Installation."}
	textNoAnswer      = text{"No answer came in time", "Es kam rechtzeitig keine Antwort"}
	textNoAnswerMore  = text{"It is not known whether it was done. Look before you repeat it.", "Es ist nicht bekannt, ob es ausgeführt wurde. Sehen Sie nach, bevor Sie es wiederholen."}
	textLate          = text{"This part was not loaded.", "Dieser Teil wurde nicht geladen."}
	textPartForbidden = text{"You may not see this part.", "Diesen Teil dürfen Sie nicht sehen."}
	textTryAgain      = text{"Try again", "Noch einmal versuchen"}
	textFormLacks     = text{"The form does not say what it was made of, so that it might undo what others did. Nothing was done. Open the page again and send it from there.", "Das Formular sagt nicht, woraus es gemacht wurde, und könnte rückgängig machen, was andere getan haben. Nichts wurde ausgeführt. Öffnen Sie die Seite neu und senden Sie es von dort."}
	textBadForm       = text{"The form could not be read. Nothing was done.", "Das Formular konnte nicht gelesen werden. Nichts wurde ausgeführt."}
	textCrossSite     = text{"The request came from another site than this console. Nothing was done.", "Die Anfrage kam von einer anderen Seite als dieser Konsole. Nichts wurde ausgeführt."}
	textNotAllowed    = text{"You may not do this", "Das dürfen Sie nicht"}
	textNeeds         = text{"needs", "braucht"}
	textNeedsMore     = text{"Your token does not have this scope, and none implies another. Nothing was called. Whoever runs the identity provider can give it to you.", "Ihr Token hat diesen Scope nicht, und keiner schließt einen anderen ein. Nichts wurde aufgerufen. Wer den Anmeldedienst betreibt, kann ihn erteilen."}
	textNotFound      = text{"There is no such page", "Diese Seite gibt es nicht"}
	textNotFoundMore  = text{"What it was about may have been removed, or the address is not whole.", "Worum es ging, wurde vielleicht entfernt, oder die Adresse ist nicht vollständig."}
	textCode          = text{"Code", "Code"}
	textMicrosoftCode = text{"Microsoft's code", "Code von Microsoft"}
	textIncident      = text{"Incident", "Vorfall"}
	textRequestID     = text{"Request", "Anfrage"}
)

// You.
var (
	textWhatMayI      = text{"What you may do", "Was Sie dürfen"}
	textName          = text{"Name", "Name"}
	textSubject       = text{"Subject", "Kennung (sub)"}
	textSignedInAt    = text{"Asked who you are", "Nach der Person gefragt"}
	textSessionSince  = text{"Session since", "Sitzung seit"}
	textSessionUntil  = text{"Ends at the latest", "Endet spätestens"}
	textScope         = text{"Scope", "Scope"}
	textHave          = text{"You have it", "Sie haben ihn"}
	textWhatItDoes    = text{"What it lets you do", "Was er erlaubt"}
	textMayRead       = text{"See everything.", "Alles sehen."}
	textMayWrite      = text{"Edit users and groups, bind, import, start and take back runs.", "Benutzer und Gruppen bearbeiten, binden, importieren, Läufe starten und zurücknehmen."}
	textMayAdmin      = text{"Create, authorise, set, deactivate and delete connections.", "Verbindungen anlegen, autorisieren, einstellen, beenden und löschen."}
	textMayApprove    = text{"Decide: held runs, which tenant and account may take effect, settings that become looser, lifted protection.", "Entscheiden: wartende Läufe, welcher Mandant und welches Konto gelten, gelockerte Einstellungen, aufgehobener Schutz."}
	textScopesNote    = text{"None implies another. The API checks each call by itself: this list only says which buttons are of use.", "Keiner schließt einen anderen ein. Die API prüft jeden Aufruf selbst: Diese Liste sagt nur, welche Knöpfe etwas bewirken."}
	textPreferences   = text{"How the console looks", "Wie die Konsole aussieht"}
	textKeysOn        = text{"Switch single keys on", "Einzelne Tasten einschalten"}
	textKeysOff       = text{"Switch single keys off", "Einzelne Tasten ausschalten"}
	textKeysTitle     = text{"Keys", "Tasten"}
	textKeySearch     = text{"Search", "Suchen"}
	textKeyOpen       = text{"Open the row", "Zeile öffnen"}
	textKeyEnter      = text{"Enter", "Eingabe"}
	textKeyClear      = text{"Clear the choice; close what is open", "Auswahl aufheben; Offenes schließen"}
	textKeyHelp       = text{"This help", "Diese Hilfe"}
	textKeysSwitch    = text{"Switch keys off, or on", "Tasten aus- oder einschalten"}
	textDensity       = text{"Rows", "Zeilen"}
	textComfortable   = text{"Comfortable", "Bequem"}
	textCompact       = text{"Compact", "Dicht"}
	textClient        = text{"Application", "Anwendung"}
	textTheAPI        = text{"The API", "Die API"}
	textDescribed     = text{"All that this console does, calls of the API do as well.", "Alles, was diese Konsole tut, tun auch Aufrufe der API."}
	textDescribedFile = text{"Its description (OpenAPI 3.1)", "Ihre Beschreibung (OpenAPI 3.1)"}
	textKeyRows       = text{"Next and former row", "Nächste und vorige Zeile"}
	textKeySelect     = text{"Choose the row", "Zeile auswählen"}
	textKeyDecide     = text{"To approve, to decline", "Zum Genehmigen, zum Ablehnen"}
)

// Home.
var (
	textWelcome         = text{"Welcome to Bindery", "Willkommen bei Bindery"}
	textWelcomeMore     = text{"Nothing is connected yet, and nothing is written anywhere. Three steps, and each can be left and taken up again:", "Noch ist kein Mandant verbunden, und nichts wird irgendwo geschrieben. Drei Schritte, und jeder kann unterbrochen und später fortgesetzt werden:"}
	textStepConnect     = text{"Connect a tenant", "Mandanten verbinden"}
	textStepConnectMore = text{"An admin of the tenant signs in at Microsoft and consents; then somebody here confirms that it is the right tenant and the right account.", "Ein Admin des Mandanten meldet sich bei Microsoft an und stimmt zu; danach bestätigt jemand hier, dass es der richtige Mandant und das richtige Konto ist."}
	textStepImport      = text{"Import accounts", "Konten importieren"}
	textStepImportMore  = text{"Accounts of the tenant become users of the directory. Nothing is written at Microsoft.", "Konten des Mandanten werden Benutzer des Verzeichnisses. Bei Microsoft wird nichts geschrieben."}
	textStepBind        = text{"Bind users, look at the plan", "Benutzer binden, Plan ansehen"}
	textStepBindMore    = text{"Bound users are kept as the directory says. What would be written is shown before it is.", "Gebundene Benutzer werden so gehalten, wie es das Verzeichnis sagt. Was geschrieben würde, wird vorher gezeigt."}
	textNothingNeedsYou = text{"Nothing needs you.", "Nichts wartet auf Sie."}
	textDecide          = text{"Needs a decision", "Wartet auf eine Entscheidung"}
	textNothingToDecide = text{"Nothing waits for a decision.", "Nichts wartet auf eine Entscheidung."}
	textBroken          = text{"Broken", "Gestört"}
	textNothingBroken   = text{"Nothing is broken.", "Nichts ist gestört."}
	textWillBreak       = text{"Will break, or may", "Wird oder könnte gestört werden"}
	textRunFailed       = text{"The last run failed.", "Der letzte Lauf ist gescheitert."}
	textToConfirm       = text{"Somebody signed in: is this the right tenant and the right account?", "Jemand hat sich angemeldet: Ist das der richtige Mandant und das richtige Konto?"}
	textDeletedAt       = text{"Unconfirmed, its tokens are deleted at", "Unbestätigt werden die Token gelöscht um"}
	textPasses          = text{"Passes by itself, or was stopped", "Erledigt sich von selbst oder wurde pausiert"}
	textStepDone        = text{"done", "erledigt"}
	textStepNow         = text{"next", "als Nächstes"}
	textStepLater       = text{"later", "später"}
	textGoOn            = text{"Go on", "Fortsetzen"}
	textNextConnections = text{"What needs you at the next ones", "Was bei den nächsten auf Sie wartet"}
	textThirtyDays      = text{"30 days", "30 Tage"}
	textSpark           = text{"Written in the last 30 days: %s; failed: %s", "In den letzten 30 Tagen geschrieben: %s; gescheitert: %s"}
	textNothingWritten  = text{"nothing written", "nichts geschrieben"}
	textNoneAffected    = text{"none", "keine"}
	countMoreHave       = number{text{"%s or more", "%s oder mehr"}, text{"%s or more", "%s oder mehr"}}
	countWrittenShort   = number{text{"%s written", "%s geschrieben"}, text{"%s written", "%s geschrieben"}}
	countAffected       = number{text{"%s affected:", "%s betroffen:"}, text{"%s affected:", "%s betroffen:"}}
	countMoreAffected   = number{text{"More than %s affected:", "Mehr als %s betroffen:"}, text{"More than %s affected:", "Mehr als %s betroffen:"}}
	countWaiting        = number{text{"%s thing passes by itself, or was stopped by somebody", "%s Sache erledigt sich von selbst oder wurde von jemandem pausiert"}, text{"%s things pass by themselves, or were stopped by somebody", "%s Sachen erledigen sich von selbst oder wurden von jemandem pausiert"}}
	countLookedAt       = number{text{"%s connection was looked at.", "%s Verbindung wurde angesehen."}, text{"%s connections were looked at.", "%s Verbindungen wurden angesehen."}}
	countMoreNeedYou    = number{text{"%s and maybe more need you", "%s und vielleicht mehr warten auf Sie"}, text{"%s and maybe more need you", "%s und vielleicht mehr warten auf Sie"}}
	countAllBound       = number{text{"%s account is bound.", "%s Konto ist gebunden."}, text{"%s accounts are bound.", "%s Konten sind gebunden."}}
	countNeedYou        = number{text{"%s needs you", "%s wartet auf Sie"}, text{"%s need you", "%s warten auf Sie"}}
)

// Connections.
var (
	textNoConnections           = text{"There is no connection yet. One links Bindery to one Microsoft 365 tenant.", "Es gibt noch keine Verbindung. Eine verknüpft Bindery mit einem Mandanten von Microsoft 365."}
	textTenant                  = text{"Tenant", "Mandant"}
	textStatus                  = text{"Status", "Zustand"}
	textMode                    = text{"Mode", "Modus"}
	textBound                   = text{"Bound", "Gebunden"}
	textLastRun                 = text{"Last run", "Letzter Lauf"}
	textEvery                   = text{"Compared every", "Abgleich alle"}
	textAuthorizedBy            = text{"Authorised by", "Autorisiert von"}
	textModeAutomatic           = text{"automatic", "automatisch"}
	textModeApprove             = text{"every run waits for approval", "jeder Lauf wartet auf Genehmigung"}
	textOverview                = text{"Overview", "Überblick"}
	textActive                  = text{"active", "aktiv"}
	textActiveMeans             = text{"Bound accounts are kept as the directory says.", "Gebundene Konten werden so gehalten, wie es das Verzeichnis sagt."}
	textNeedsAuthorization      = text{"needs authorisation", "braucht Autorisierung"}
	textNeedsAuthorizationMeans = text{"Microsoft does not accept the authorisation any more. Nothing is written until an admin authorises the connection again; the bindings stay.", "Microsoft nimmt die Autorisierung nicht mehr an. Nichts wird geschrieben, bis die Verbindung erneut autorisiert wird; die Bindungen bleiben."}
	textAwaits                  = text{"to be confirmed", "zu bestätigen"}
	textAwaitsMeans             = text{"Somebody signed in. Nothing takes effect before the tenant and the account are confirmed.", "Jemand hat sich angemeldet. Nichts gilt, bevor Mandant und Konto bestätigt sind."}
	textDeactivated             = text{"deactivated", "beendet"}
	textDeactivatedMeans        = text{"The connection was let go. Nothing is read or written; every account is as it was.", "Die Verbindung wurde beendet. Nichts wird gelesen oder geschrieben; jedes Konto ist, wie es war."}
	textPending                 = text{"not authorised yet", "noch nicht autorisiert"}
	textPendingMeans            = text{"An admin of the tenant has still to sign in at Microsoft.", "Ein Admin des Mandanten muss sich noch bei Microsoft anmelden."}
	textSyncNow                 = text{"Sync now", "Jetzt abgleichen"}
	textPlanNow                 = text{"Plan only", "Nur planen"}
	textRunWaits                = text{"A run waits for your decision", "Ein Lauf wartet auf Ihre Entscheidung"}
	textSignInRefused           = text{"The last sign-in was refused", "Die letzte Anmeldung wurde abgelehnt"}
	textLackingHow              = text{"An admin of the same tenant signs in at Microsoft once more and consents to them. Members, settings and runs stay as they are.", "Ein Admin desselben Mandanten meldet sich noch einmal bei Microsoft an und stimmt ihnen zu. Mitglieder, Einstellungen und Läufe bleiben, wie sie sind."}
	textLacking                 = text{"Permissions that are lacking", "Fehlende Berechtigungen"}
	textLatestRuns              = text{"Latest runs", "Letzte Läufe"}
	textAllRuns                 = text{"All runs", "Alle Läufe"}
	textNoRuns                  = text{"There was no run yet. Edits, the schedule and “Sync now” start one.", "Es gab noch keinen Lauf. Änderungen, der Zeitplan und „Jetzt abgleichen“ starten einen."}
	textProblems                = text{"Problems", "Probleme"}
	textNoProblems              = text{"Nobody has a problem.", "Niemand hat ein Problem."}
	textHealth                  = text{"Health", "Diagnose"}
	textHealthy                 = text{"Everything was looked at, and nothing is wrong.", "Alles wurde angesehen, und nichts stimmt nicht."}
	textNotChecked              = text{"The doctor has not looked at this connection yet.", "Diese Verbindung wurde noch nicht untersucht."}
	textNotAllRead              = text{"Nothing worse was found, but not everything could be looked at: whether all is well is not known.", "Schlimmeres wurde nicht gefunden, doch nicht alles ließ sich ansehen: Ob alles in Ordnung ist, ist nicht bekannt."}
	textChecked                 = text{"Looked at", "Untersucht"}
	textCritical                = text{"critical", "kritisch"}
	textWarning                 = text{"warning", "Warnung"}
	textNote                    = text{"note", "Hinweis"}
	countUsers                  = number{text{"%s user:", "%s Benutzer:"}, text{"%s users:", "%s Benutzer:"}}
)

// Runs.
var (
	textRuns               = text{"Runs", "Läufe"}
	textRunOf              = text{"Run of %s", "Lauf vom %s"}
	textPlanOf             = text{"Plan of %s", "Plan vom %s"}
	textUndoOf             = text{"Taking back, %s", "Rücknahme vom %s"}
	textUndoPlanOf         = text{"Plan to take back, %s", "Plan einer Rücknahme vom %s"}
	textReleaseOf          = text{"Release of %s", "Lösen von Bindungen, %s"}
	textKindSync           = text{"sync", "Abgleich"}
	textKindPlan           = text{"plan only", "nur Plan"}
	textKindUndo           = text{"taking back", "Rücknahme"}
	textKindUndoPlan       = text{"plan to take back", "Plan einer Rücknahme"}
	textKindRelease        = text{"release", "Lösen von Bindungen"}
	textConnection         = text{"Connection", "Verbindung"}
	textTrigger            = text{"Started by", "Ausgelöst durch"}
	textBySchedule         = text{"the schedule", "den Zeitplan"}
	textByEdit             = text{"an edit", "eine Änderung"}
	textByBinding          = text{"a binding", "eine Bindung"}
	textByAdmin            = text{"an admin", "ein Admin"}
	textStarted            = text{"Started", "Begonnen"}
	textTook               = text{"Took", "Dauer"}
	textApprovedBy         = text{"Approved by", "Genehmigt von"}
	textTakesBack          = text{"Takes back", "Nimmt zurück"}
	textTheRun             = text{"this run", "diesen Lauf"}
	textOnlyFor            = text{"Only for", "Nur für"}
	textWhen               = text{"When", "Wann"}
	textWhat               = text{"What", "Was"}
	textChanges            = text{"Changes", "Änderungen"}
	textNothingToWrite     = text{"nothing to write", "nichts zu schreiben"}
	textNothingYetPlanning = text{"Nothing has been written yet. The plan is being made.", "Noch wurde nichts geschrieben. Der Plan entsteht gerade."}
	textNothingYetHeld     = text{"Nothing has been written yet. It waits for a decision.", "Noch wurde nichts geschrieben. Es wartet auf eine Entscheidung."}
	textPartlyHeld         = text{"%s of %s are written. The rest waits for a decision.", "%s von %s sind geschrieben. Der Rest wartet auf eine Entscheidung."}
	textWriting            = text{"Writing: %s of %s, %s failed.", "Wird geschrieben: %s von %s, %s gescheitert."}
	textTried              = text{"The settings that this plan tries", "Die Einstellungen, die dieser Plan versucht"}
	textTriedAs            = text{"Tried", "Versucht"}
	textTriedMeans         = text{"They are not saved. The changes below are what a run with them would do.", "Sie sind nicht gespeichert. Die Änderungen unten sind, was ein Lauf mit ihnen täte."}
	textTriedAreSaved      = text{"The connection has these settings by now.", "Die Verbindung hat diese Einstellungen inzwischen."}
	textTriedChange        = text{"Change them", "Ändern"}
	textTriedInForm        = text{"The fields show what the plan tried, not what is saved.", "Die Felder zeigen, was der Plan versucht hat, nicht was gespeichert ist."}
	textSaveTried          = text{"Save these settings", "Diese Einstellungen speichern"}
	textPlanOnly           = text{"A plan only: nothing has been written, and nothing will be by this plan.", "Nur ein Plan: Nichts wurde geschrieben, und durch ihn wird nichts geschrieben."}
	textNothingToDo        = text{"Ended: everything was already as the directory says. Nothing was written.", "Beendet: Alles war schon so, wie es das Verzeichnis sagt. Nichts wurde geschrieben."}
	textFailedPlanning     = text{"Failed before there was a plan: nothing was written, and what differs is not known.", "Gescheitert, bevor es einen Plan gab: Nichts wurde geschrieben, und was abweicht, ist nicht bekannt."}
	textCancelledPlanning  = text{"Cancelled before there was a plan: nothing was written, and what differs is not known.", "Abgebrochen, bevor es einen Plan gab: Nichts wurde geschrieben, und was abweicht, ist nicht bekannt."}
	textSupersededPlanning = text{"A later run took its place before there was a plan: nothing was written by this one.", "Ein späterer Lauf trat an seine Stelle, bevor es einen Plan gab: Dieser hat nichts geschrieben."}
	textWrittenOf          = text{"%s of %s written", "%s von %s geschrieben"}
	textEnded              = text{"Ended: %s written, %s failed, %s declined or refused.", "Beendet: %s geschrieben, %s gescheitert, %s abgelehnt oder abgewiesen."}
	textStopped            = text{"Stopped: %s of %s were written.", "Abgebrochen: %s von %s wurden geschrieben."}
	textProgress           = text{"Progress", "Fortschritt"}
	textWaits              = text{"Waits:", "Wartet:"}
	textWhyFailed          = text{"Why it failed", "Warum es gescheitert ist"}
	textWaitsFor           = text{"What it waits for", "Worauf er wartet"}
	textPlanLacks          = text{"What the plan lacks", "Was dem Plan fehlt"}
	textStatePlanning      = text{"planning", "plant"}
	textStateHeld          = text{"held", "wartet auf Genehmigung"}
	textStateApplying      = text{"writing", "schreibt"}
	textStateWaiting       = text{"waiting", "wartet"}
	textStatePlanned       = text{"plan only", "nur Plan"}
	textStateDone          = text{"done", "beendet"}
	textStateDoneSome      = text{"done, some failed", "beendet, teils gescheitert"}
	textStateFailed        = text{"failed", "gescheitert"}
	textStateCancelled     = text{"cancelled", "abgebrochen"}
	textStateSuperseded    = text{"superseded", "überholt"}
	textSteps              = text{"Where the run stands", "Wo der Lauf steht"}
	textStepPlan           = text{"plan", "planen"}
	textStepDecide         = text{"decide", "entscheiden"}
	textStepWrite          = text{"write", "schreiben"}
	textRunItNow           = text{"Run it now", "Jetzt ausführen"}
	textTakeBack           = text{"Take back…", "Zurücknehmen…"}
	textCancel             = text{"Stop before the next batch", "Vor dem nächsten Paket abbrechen"}
	textCancelled          = text{"The run ends before its next batch.", "Der Lauf endet vor seinem nächsten Paket."}
	textCSV                = text{"As CSV", "Als CSV"}
	textByEffect           = text{"By effect", "Nach Wirkung"}
	textByDepartment       = text{"By department", "Nach Abteilung"}
	textByDomain           = text{"By domain", "Nach Domäne"}
	textWhereItIs          = text{"Where it is", "Wo es ist"}
	textShare              = text{"Share", "Anteil"}
	textStays              = text{"What stays as it is", "Was bleibt, wie es ist"}
	textWrote              = text{"Was written", "Geschrieben wurde"}
	textFound              = text{"Is there now", "Steht jetzt da"}
	textEditedBy           = text{"From edits by", "Aus Änderungen von"}
	textWhatLedToIt        = text{"What led to it", "Was dazu führte"}
	textInActivity         = text{"edits and loads before it", "Änderungen und Dateien davor"}
	textDecisions          = text{"Decisions", "Entscheidungen"}
	textAskedBecause       = text{"Asked for by", "Veranlasst durch"}
	textWaves              = text{"Waves", "Wellen"}
	textWaveOf             = text{"wave %s of %s", "Welle %s von %s"}
	textWaveUpTo           = text{"up to change %s of %s", "bis zur Änderung %s von %s"}
	textWaveLook           = text{"The next wave goes once this one was read back from Microsoft, next at", "Die nächste Welle geht, sobald diese von Microsoft zurückgelesen ist, wieder um"}
	textWaveLast           = text{"The last wave: nothing waits for it to be read back.", "Die letzte Welle: Auf ihr Zurücklesen wartet nichts mehr."}
	textAfterWave          = text{"after wave %s", "nach Welle %s"}
	textSoMany             = text{"%s of %s", "%s von %s"}
	textLimit              = text{"limit", "Grenze"}
	textLimitOfGuard       = text{"by the guard", "vom Wächter"}
	textLimitIsSet         = text{"set as a number", "als Zahl gesetzt"}
	textLimitIsLarger      = text{"or %s %% of the accounts where that is more", "oder %s %% der Konten, wo das mehr ist"}
	textLimitIsShareOf     = text{"because %s %% of %s", "denn %s %% von %s"}
	textLimitIsShare       = text{"because of %s %% of the accounts", "wegen %s %% der Konten"}
	textCompare            = text{"Compare", "Vergleichen"}
	textCompareThis        = text{"Compare %s", "%s vergleichen"}
	textWillBe             = text{"Will be", "Wird"}
	textFromWhere          = text{"From", "Woher"}
	textStaysSo            = text{"stays so", "bleibt so"}
	textChangedThere       = text{"changed by somebody at Microsoft", "von jemandem bei Microsoft geändert"}
	textExplainAll         = text{"The whole decision, step by step", "Die ganze Entscheidung, Schritt für Schritt"}
	textSessionsOpen       = text{"Whoever is signed in stays so until the access token ends, which may take an hour. Ending sessions is a change of its own: it is declined here, and not proposed again.", "Wer angemeldet ist, bleibt es, bis das Zugriffstoken endet, was eine Stunde dauern kann. Das Beenden von Sitzungen ist eine eigene Änderung: Sie wird hier abgelehnt und nicht wieder vorgeschlagen."}
	textWithSessions       = text{"Approve the end of the sessions as well", "Auch das Ende der Sitzungen genehmigen"}
	countSessionsOpen      = number{text{"The sessions of %s blocked account are not ended", "Die Sitzungen von %s gesperrten Konto werden nicht beendet"}, text{"The sessions of %s blocked accounts are not ended", "Die Sitzungen von %s gesperrten Konten werden nicht beendet"}}
	textFollowsDeclined    = text{"What makes no sense without a declined change is declined with it.", "Was ohne eine abgelehnte Änderung keinen Sinn hat, wird mit ihr abgelehnt."}
	countPutBack           = number{text{"Put back %s change", "%s Änderung zurücknehmen"}, text{"Put back %s changes", "%s Änderungen zurücknehmen"}}
	countSame              = number{text{"%s other property is as it should be.", "%s weitere Eigenschaft ist, wie sie sein soll."}, text{"%s other properties are as they should be.", "%s weitere Eigenschaften sind, wie sie sein sollen."}}
	countMoreParts         = number{text{"and %s more", "und %s weitere"}, text{"and %s more", "und %s weitere"}}
	countLeft              = number{text{"%s thing is left as it is.", "%s Sache bleibt, wie sie ist."}, text{"%s things are left as they are.", "%s Sachen bleiben, wie sie sind."}}
)

// Why a run is held.
var (
	textWhyHeld        = text{"Why it is held", "Warum er wartet"}
	textInWordsOfAPI   = text{"In full sentences", "In ganzen Sätzen"}
	textInRun          = text{"in one run", "in einem Lauf"}
	textInDay          = text{"in 24 hours", "in 24 Stunden"}
	textInWeek         = text{"in 7 days", "in 7 Tagen"}
	textMoreThan       = text{"more than the limit of", "mehr als die Grenze von"}
	textMostly         = text{"most of them in", "die meisten in"}
	textHeldAll        = text{"Nothing of it is written before somebody decides.", "Nichts davon wird geschrieben, bevor jemand entscheidet."}
	textHeldRest       = text{"Nothing more of it is written before somebody decides.", "Nichts weiter davon wird geschrieben, bevor jemand entscheidet."}
	textHeldSomePasses = text{"Blocks that are within their own limits still go through; everything else waits.", "Sperren innerhalb ihrer eigenen Grenzen gehen durch; alles andere wartet."}
	textHeldMode       = text{"Every run of this connection waits for approval.", "Jeder Lauf dieser Verbindung wartet auf Genehmigung."}
	textHeldEmpty      = text{"The directory has no living user any more.", "Das Verzeichnis hat keine Benutzer mehr."}
	textHeldShrank     = text{"The directory had %s users at the last run and has %s now.", "Das Verzeichnis hatte beim letzten Lauf %s Benutzer und hat jetzt %s."}
	textHeldIncomplete = text{"The tenant could not be read to the end.", "Der Mandant konnte nicht zu Ende gelesen werden."}
	textHeldSettings   = text{"The settings have changed, and the first plan since then touches %s accounts.", "Die Einstellungen haben sich geändert, und der erste Plan seitdem betrifft %s Konten."}
	textHeldLoosened   = text{"The guard was loosened a short time ago, and would have held this before.", "Der Wächter wurde vor Kurzem gelockert und hätte dies vorher angehalten."}
	textHeldRoles      = text{"Who is protected by a role cannot be read.", "Wer durch eine Rolle geschützt ist, lässt sich nicht lesen."}
	textWaveFailed     = text{"Wave %s went wrong: %s sent, %s failed, %s read back otherwise than written.", "Welle %s ging schief: %s gesendet, %s gescheitert, %s anders zurückgelesen als geschrieben."}
	textFourEyes       = text{"You asked for this, or edited what it comes from: by the rule of four eyes somebody else approves it. You may decline it.", "Sie haben dies veranlasst oder bearbeitet, woraus es entstand: Nach dem Vier-Augen-Prinzip genehmigt es jemand anderes. Ablehnen dürfen Sie."}
	textApproveAll     = text{"Approve all…", "Alle genehmigen…"}
	textDeclineAll     = text{"Decline all…", "Alle ablehnen…"}
)

// The changes of a run.
var (
	textEffect          = text{"Effect", "Wirkung"}
	textAccount         = text{"Account", "Konto"}
	textWhatChanges     = text{"What changes", "Was sich ändert"}
	textWhy             = text{"Why", "Warum"}
	textBecameOfIt      = text{"State", "Stand"}
	textChoose          = text{"Choose", "Auswahl"}
	textChooseThis      = text{"Choose %s", "%s auswählen"}
	textAllOfPage       = text{"All of this page", "Alle dieser Seite"}
	textApproveChosen   = text{"Approve the chosen…", "Ausgewählte genehmigen…"}
	textApproveFiltered = text{"Approve all that this filter shows…", "Alle dieses Filters genehmigen…"}
	textFilter          = text{"Filter", "Filter"}
	textProperty        = text{"Property", "Eigenschaft"}
	textDepartment      = text{"Department", "Abteilung"}
	textDomain          = text{"Domain", "Domäne"}
	textUserID          = text{"User's ID", "ID des Benutzers"}
	textShow            = text{"Show", "Anzeigen"}
	textShowAll         = text{"Show all", "Alle zeigen"}
	textNoneMatch       = text{"No change of this run is like that.", "Keine Änderung dieses Laufs ist so."}
	textNoChanges       = text{"This run has no changes.", "Dieser Lauf hat keine Änderungen."}
	textNotPlannedYet   = text{"The plan is being made. This page looks again by itself.", "Der Plan entsteht gerade. Diese Seite sieht von selbst wieder nach."}
	textNoValues        = text{"no values", "keine Werte"}
	textEmptyValue      = text{"(empty)", "(leer)"}
	textMaySignIn       = text{"may sign in", "darf sich anmelden"}
	textMayNotSignIn    = text{"may not sign in", "darf sich nicht anmelden"}
	textIrreversible    = text{"Cannot be taken back:", "Nicht zurückzunehmen:"}
	textChangePlanned   = text{"planned", "geplant"}
	textChangeApproved  = text{"approved", "genehmigt"}
	textChangeDeclined  = text{"declined", "abgelehnt"}
	textChangeApplied   = text{"written", "geschrieben"}
	textChangeFailed    = text{"failed", "gescheitert"}
	textChangeOutdated  = text{"outdated", "überholt"}
	textChangeRefused   = text{"refused", "abgewiesen"}
	countMoreProperties = number{text{"%s more property", "%s weitere Eigenschaft"}, text{"%s more properties", "%s weitere Eigenschaften"}}
	countChosen         = number{text{"%s chosen", "%s ausgewählt"}, text{"%s chosen", "%s ausgewählt"}}
)

// Decisions.
var (
	textApproveTitle      = text{"Approve %s of %s changes?", "%s von %s Änderungen genehmigen?"}
	textNothingChosen     = text{"Nothing is chosen", "Nichts ist ausgewählt"}
	textNothingChosenMore = text{"Go back and tick the changes that are to be written.", "Gehen Sie zurück und wählen Sie die Änderungen aus, die geschrieben werden sollen."}
	textTooManyChosen     = text{"At most %s changes can be chosen one by one. Choose by a filter, or all.", "Höchstens %s Änderungen lassen sich einzeln auswählen. Wählen Sie über einen Filter oder alle."}
	textUncounted         = text{"The run has more changes than are counted at once, so it is not known how many this would approve. Tick changes that stand near each other, approve all of it, or approve a part by a call of the API.", "Der Lauf hat mehr Änderungen, als auf einmal gezählt werden; wie viele damit genehmigt würden, ist daher nicht bekannt. Wählen Sie nah beieinander stehende Änderungen aus, genehmigen Sie alle, oder einen Teil durch einen Aufruf der API."}
	textPartCounted       = text{"The first %s changes of the run were looked at one by one, and %s are approved", "Die ersten %s Änderungen des Laufs wurden einzeln angesehen, und %s werden genehmigt"}
	textPartCountedMore   = text{"Among the others there may be some that cannot be taken back.", "Unter den anderen können welche sein, die sich nicht zurücknehmen lassen."}
	countWriteAll         = number{text{"Write the %s open change", "Die %s offene Änderung schreiben"}, text{"Write all %s open changes", "Alle %s offenen Änderungen schreiben"}}
	countDropped          = number{text{"%s of those chosen is not written: it makes no sense without another that you decline", "%s der ausgewählten wird nicht geschrieben: Sie hat keinen Sinn ohne eine andere, die Sie ablehnen"}, text{"%s of those chosen are not written: they make no sense without others that you decline", "%s der ausgewählten werden nicht geschrieben: Sie haben keinen Sinn ohne andere, die Sie ablehnen"}}
	textDroppedMore       = text{"An account is not updated before it is taken over or made, and sessions are not ended without the block. To write these too, choose the others with them.", "Ein Konto wird nicht geändert, bevor es übernommen oder angelegt ist, und Sitzungen werden nicht ohne die Sperre beendet. Um auch diese zu schreiben, wählen Sie die anderen mit aus."}
	textTheseChosen       = text{"What you have chosen, also what is not written", "Ihre Auswahl, auch was nicht geschrieben wird"}
	textMovedMeanwhile    = text{"What is approved is written as it is shown here. A change whose user or account has moved on meanwhile is left out and planned anew.", "Genehmigtes wird so geschrieben, wie es hier steht. Eine Änderung, deren Benutzer oder Konto sich inzwischen geändert hat, bleibt aus und wird neu geplant."}
	textWhyOptional       = text{"Why (optional)", "Warum (optional)"}
	textWhyOptionalHelp   = text{"In one line; it stands in the activity.", "In einer Zeile; es steht im Verlauf."}
	textSessionsStayEnded = text{"Ended sessions stay ended: whoever may still sign in does so again.", "Beendete Sitzungen bleiben beendet: Wer sich noch anmelden darf, tut es erneut."}
	textNotYet            = text{"Not yet", "Noch nicht"}
	textThese             = text{"These changes", "Diese Änderungen"}
	textTypeNumber        = text{"Type the number %s to confirm", "Zur Bestätigung die Zahl %s eingeben"}
	textTypedWrong        = text{"Type the number %s: that many changes are approved. Nothing was approved yet.", "Geben Sie die Zahl %s ein: So viele Änderungen werden genehmigt. Noch wurde nichts genehmigt."}
	textPlanMoved         = text{"The plan is another one than a moment ago. Look again: nothing was approved.", "Der Plan ist ein anderer als eben. Sehen Sie noch einmal hin: Nichts wurde genehmigt."}
	textNotHeldAnyMore    = text{"The run is not held any more: somebody has decided, or it has ended.", "Der Lauf wartet nicht mehr: Jemand hat entschieden, oder er ist zu Ende."}
	textDeclineWhat       = text{"Nothing of this run is written.", "Nichts von diesem Lauf wird geschrieben."}
	textDeclineRest       = text{"Nothing more of this run is written. %s of %s are written already, and stay so.", "Von diesem Lauf wird nichts mehr geschrieben. %s von %s sind schon geschrieben und bleiben es."}
	textDeclineThen       = text{"What is declined is not proposed again until the user, the account or the reason changes.", "Abgelehntes wird nicht wieder vorgeschlagen, bis sich der Benutzer, das Konto oder der Grund ändert."}
	textDeclinedAll       = text{"Declined. What was still open of the run is not written.", "Abgelehnt. Was vom Lauf noch offen war, wird nicht geschrieben."}
	countDeclinedThen     = number{text{"%s other is declined, and not proposed again until something about it changes.", "%s weitere wird abgelehnt und nicht wieder vorgeschlagen, bis sich daran etwas ändert."}, text{"%s others are declined, and not proposed again until something about them changes.", "%s weitere werden abgelehnt und nicht wieder vorgeschlagen, bis sich daran etwas ändert."}}
	countLost             = number{text{"%s of them cannot be taken back as a whole", "%s davon lässt sich nicht ganz zurücknehmen"}, text{"%s of them cannot be taken back as a whole", "%s davon lassen sich nicht ganz zurücknehmen"}}
	countMoreChanges      = number{text{"And %s more.", "Und %s weitere."}, text{"And %s more.", "Und %s weitere."}}
	countApproved         = number{text{"%s change approved.", "%s Änderung genehmigt."}, text{"%s changes approved.", "%s Änderungen genehmigt."}}
	countDeclined         = number{text{"%s declined.", "%s abgelehnt."}, text{"%s declined.", "%s abgelehnt."}}
	countDeclineTitle     = number{text{"Decline %s change?", "%s Änderung ablehnen?"}, text{"Decline all %s changes?", "Alle %s Änderungen ablehnen?"}}
	countDeclineDo        = number{text{"Decline %s change", "%s Änderung ablehnen"}, text{"Decline %s changes", "%s Änderungen ablehnen"}}
)

// Taking back.
var (
	textUndoTitle      = text{"Take back what this run wrote", "Zurücknehmen, was dieser Lauf geschrieben hat"}
	textUndoHow        = text{"First you see what would be put back, and what stays as it is. Nothing is written by that.", "Zuerst sehen Sie, was zurückgenommen würde und was bleibt, wie es ist. Dadurch wird nichts geschrieben."}
	textUndoPauses     = text{"Whom it concerns is paused, so that the next run does not repeat the mistake: edit the user, or resume.", "Wen es betrifft, wird pausiert, damit der nächste Lauf den Fehler nicht wiederholt: Bearbeiten Sie den Benutzer, oder setzen Sie fort."}
	textUndoWhom       = text{"Only these users (nothing ticked: all)", "Nur diese Benutzer (nichts ausgewählt: alle)"}
	textUndoWhat       = text{"Only these properties (nothing ticked: all)", "Nur diese Eigenschaften (nichts ausgewählt: alle)"}
	textUndoUsers      = text{"Others, by their IDs", "Weitere, mit ihren IDs"}
	textUndoProperties = text{"Others, as department, jobTitle", "Weitere, etwa department, jobTitle"}
	textUndoPreview    = text{"Show what would be put back", "Zeigen, was zurückgenommen würde"}
	textUndoBegun      = text{"Taking back has begun.", "Die Rücknahme hat begonnen."}
	countWritten       = number{text{"The run wrote %s change.", "Der Lauf hat %s Änderung geschrieben."}, text{"The run wrote %s changes.", "Der Lauf hat %s Änderungen geschrieben."}}
)

// Effects: as a word, and with a verb and how many.
var (
	textEffectBlock            = text{"block", "sperren"}
	textEffectDelete           = text{"delete", "löschen"}
	textEffectCreate           = text{"create", "anlegen"}
	textEffectAdopt            = text{"adopt", "übernehmen"}
	textEffectUpdate           = text{"update", "ändern"}
	textEffectSensitive        = text{"update, sensitive", "ändern, heikel"}
	textEffectEmpty            = text{"empty a value", "Wert leeren"}
	textEffectRename           = text{"rename", "umbenennen"}
	textEffectUnblock          = text{"unblock", "entsperren"}
	textEffectRevoke           = text{"end sessions", "Sitzungen beenden"}
	textEffectRestore          = text{"restore", "wiederherstellen"}
	textEffectRelease          = text{"release", "Bindung lösen"}
	textEffectDeselect         = text{"let go", "Auswahl beenden"}
	textEffectGroupCreate      = text{"create group", "Gruppe anlegen"}
	textEffectGroupAdopt       = text{"adopt group", "Gruppe übernehmen"}
	textEffectGroupUpdate      = text{"update group", "Gruppe ändern"}
	textEffectGroupDelete      = text{"delete group", "Gruppe löschen"}
	textEffectGroupRestore     = text{"restore group", "Gruppe wiederherstellen"}
	textEffectMemberAdd        = text{"add member", "Mitglied hinzufügen"}
	textEffectMemberRemove     = text{"remove member", "Mitglied entfernen"}
	textEffectManagerSet       = text{"set manager", "Vorgesetzte setzen"}
	textEffectManagerClear     = text{"clear manager", "Vorgesetzte leeren"}
	textEffectLicenceAdd       = text{"give licence", "Lizenz geben"}
	textEffectLicenceRemove    = text{"take licence", "Lizenz entziehen"}
	textEffectLicenceSwap      = text{"swap licence", "Lizenz tauschen"}
	textEffectLicencePlans     = text{"switch services", "Dienste schalten"}
	textEffectLicenceReprocess = text{"reprocess licences", "Lizenzen neu verarbeiten"}

	countBlock            = number{text{"block %s account", "%s Konto sperren"}, text{"block %s accounts", "%s Konten sperren"}}
	countDelete           = number{text{"delete %s account", "%s Konto löschen"}, text{"delete %s accounts", "%s Konten löschen"}}
	countCreate           = number{text{"create %s account", "%s Konto anlegen"}, text{"create %s accounts", "%s Konten anlegen"}}
	countAdopt            = number{text{"adopt %s account", "%s Konto übernehmen"}, text{"adopt %s accounts", "%s Konten übernehmen"}}
	countUpdate           = number{text{"update %s account", "%s Konto ändern"}, text{"update %s accounts", "%s Konten ändern"}}
	countSensitive        = number{text{"write sensitive values of %s account", "heikle Werte von %s Konto schreiben"}, text{"write sensitive values of %s accounts", "heikle Werte von %s Konten schreiben"}}
	countEmpty            = number{text{"empty values of %s account", "Werte von %s Konto leeren"}, text{"empty values of %s accounts", "Werte von %s Konten leeren"}}
	countRename           = number{text{"rename %s account", "%s Konto umbenennen"}, text{"rename %s accounts", "%s Konten umbenennen"}}
	countUnblock          = number{text{"unblock %s account", "%s Konto entsperren"}, text{"unblock %s accounts", "%s Konten entsperren"}}
	countRevoke           = number{text{"end the sessions of %s account", "Sitzungen von %s Konto beenden"}, text{"end the sessions of %s accounts", "Sitzungen von %s Konten beenden"}}
	countRestore          = number{text{"restore %s account", "%s Konto wiederherstellen"}, text{"restore %s accounts", "%s Konten wiederherstellen"}}
	countRelease          = number{text{"release %s account", "%s Bindung lösen"}, text{"release %s accounts", "%s Bindungen lösen"}}
	countDeselect         = number{text{"let %s account go", "%s Auswahl beenden"}, text{"let %s accounts go", "%s Auswahlen beenden"}}
	countGroupCreate      = number{text{"create %s group", "%s Gruppe anlegen"}, text{"create %s groups", "%s Gruppen anlegen"}}
	countGroupAdopt       = number{text{"adopt %s group", "%s Gruppe übernehmen"}, text{"adopt %s groups", "%s Gruppen übernehmen"}}
	countGroupUpdate      = number{text{"update %s group", "%s Gruppe ändern"}, text{"update %s groups", "%s Gruppen ändern"}}
	countGroupDelete      = number{text{"delete %s group", "%s Gruppe löschen"}, text{"delete %s groups", "%s Gruppen löschen"}}
	countGroupRestore     = number{text{"restore %s group", "%s Gruppe wiederherstellen"}, text{"restore %s groups", "%s Gruppen wiederherstellen"}}
	countMemberAdd        = number{text{"add %s member", "%s Mitglied hinzufügen"}, text{"add %s members", "%s Mitglieder hinzufügen"}}
	countMemberRemove     = number{text{"remove %s member", "%s Mitglied entfernen"}, text{"remove %s members", "%s Mitglieder entfernen"}}
	countManagerSet       = number{text{"set %s manager", "%s Vorgesetzte setzen"}, text{"set %s managers", "%s Vorgesetzte setzen"}}
	countManagerClear     = number{text{"clear %s manager", "%s Vorgesetzte leeren"}, text{"clear %s managers", "%s Vorgesetzte leeren"}}
	countLicenceAdd       = number{text{"give %s licence", "%s Lizenz geben"}, text{"give %s licences", "%s Lizenzen geben"}}
	countLicenceRemove    = number{text{"take %s licence away", "%s Lizenz entziehen"}, text{"take %s licences away", "%s Lizenzen entziehen"}}
	countLicenceSwap      = number{text{"swap %s licence", "%s Lizenz tauschen"}, text{"swap %s licences", "%s Lizenzen tauschen"}}
	countLicencePlans     = number{text{"switch services of %s licence", "Dienste von %s Lizenz schalten"}, text{"switch services of %s licences", "Dienste von %s Lizenzen schalten"}}
	countLicenceReprocess = number{text{"reprocess the licences of %s account", "Lizenzen von %s Konto neu verarbeiten"}, text{"reprocess the licences of %s accounts", "Lizenzen von %s Konten neu verarbeiten"}}
	countOther            = number{text{"%s other change", "%s andere Änderung"}, text{"%s other changes", "%s andere Änderungen"}}
)

// The overview of a connection.
var (
	textWritesNothingUnapproved = text{"It writes to no account until somebody approves the run.", "Sie schreibt in kein Konto, bis jemand den Lauf genehmigt."}
	textDeactivatedBy           = text{"Let go by", "Beendet von"}
	textNextRun                 = text{"Next by schedule", "Nächster nach Plan"}
	textSettingsBy              = text{"Settings by", "Einstellungen von"}
	textConfirmedBy             = text{"Confirmed by", "Bestätigt von"}
	textDomainsMean             = text{"A domain that a connection has claimed is no other connection's. Claiming and giving up need bindery/approve.", "Eine Domäne, die eine Verbindung beansprucht, gehört keiner anderen. Beanspruchen und Aufgeben brauchen bindery/approve."}
	textDomainOffered           = text{"verified in the tenant, claimed by nobody here", "im Mandanten bestätigt, hier von niemandem beansprucht"}
	textDomainLost              = text{"is not the tenant's any more since", "gehört dem Mandanten nicht mehr seit"}
	textClaimDomain             = text{"Claim it", "Beanspruchen"}
	textGiveUpDomain            = text{"Give it up", "Aufgeben"}
	textSavedDomains            = text{"The domains are changed.", "Die Domänen sind geändert."}
	textEndReason               = text{"Why (optional; it is kept in the activity)", "Warum (optional; es steht im Verlauf)"}
)

// Adding a connection, authorising, confirming, ending.
var (
	textAddConnection      = text{"Add a connection", "Verbindung anlegen"}
	textAddLead            = text{"A connection links Bindery to one Microsoft 365 tenant. Making it reads and writes nothing: an admin of the tenant signs in next.", "Eine Verbindung verknüpft Bindery mit einem Mandanten von Microsoft 365. Das Anlegen liest und schreibt nichts: Als Nächstes meldet sich ein Admin des Mandanten an."}
	textAddWarning         = text{"A tenant, and each of its domains, belongs to one active connection at most.", "Ein Mandant und jede seiner Domänen gehört zu höchstens einer aktiven Verbindung."}
	textNameHelp           = text{"As people here call the tenant.", "Wie der Mandant hier genannt wird."}
	textExpectedDomain     = text{"Expected domain (optional)", "Erwartete Domäne (optional)"}
	textExpectedDomainHelp = text{"A tenant that has not verified it is refused: this protects from signing in at the wrong one.", "Ein Mandant, der sie nicht bestätigt hat, wird abgewiesen: Das schützt davor, sich beim falschen anzumelden."}
	textModeApproveLong    = text{"Hold every run until somebody approves it. Best for the first time; can be changed later.", "Jeden Lauf anhalten, bis ihn jemand genehmigt. Für den Anfang am besten; lässt sich später ändern."}
	textModeAutomaticLong  = text{"Write by itself what the directory says, within the limits of the guard.", "Von selbst schreiben, was das Verzeichnis sagt, in den Grenzen des Wächters."}
	textConnectionAdded    = text{"The connection is made. Next, an admin of the tenant signs in.", "Die Verbindung ist angelegt. Als Nächstes meldet sich ein Admin des Mandanten an."}
	textNextAuthorize      = text{"Next: authorise it at Microsoft", "Als Nächstes: bei Microsoft autorisieren"}
	textAuthorizeWho       = text{"An admin of the tenant signs in and consents. You need not be that person: the link can be sent.", "Ein Admin des Mandanten meldet sich an und stimmt zu. Das müssen nicht Sie sein: Der Link lässt sich verschicken."}
	textAuthorize          = text{"Get the link", "Link holen"}
	textAuthorizeAgain     = text{"Authorise again", "Erneut autorisieren"}
	textLinkHow            = text{"Follow the link, or send it to an admin of the tenant. This page notices when somebody has signed in.", "Folgen Sie dem Link, oder schicken Sie ihn einem Admin des Mandanten. Diese Seite merkt, wenn sich jemand angemeldet hat."}
	textToMicrosoft        = text{"Continue to Microsoft", "Weiter zu Microsoft"}
	textCopyLink           = text{"Copy for another admin", "Für jemand anderes kopieren"}
	textShowLink           = text{"Show the link", "Link anzeigen"}
	textLinkLasts          = text{"It is good for ten minutes, for one sign-in, in one browser.", "Er gilt zehn Minuten, für eine Anmeldung, in einem Browser."}
	textNewLink            = text{"Get a new link", "Neuen Link holen"}
	textIsItRight          = text{"Is this the right tenant, and the right account?", "Ist das der richtige Mandant und das richtige Konto?"}
	textDomains            = text{"Domains", "Domänen"}
	textAccountSignedIn    = text{"Account that signed in", "Konto, das sich angemeldet hat"}
	textRoles              = text{"Roles there", "Rollen dort"}
	textAskedBy            = text{"Asked for by", "Veranlasst von"}
	textUndecided          = text{"Undecided, tokens are deleted", "Unentschieden werden Token gelöscht"}
	textConfirmWhy         = text{"Anybody who was sent the link may have signed in. Nothing takes effect, and no token is used, before both are confirmed.", "Jeder, der den Link bekam, kann sich angemeldet haben. Nichts gilt, und kein Token wird benutzt, bevor beides bestätigt ist."}
	textConfirmThis        = text{"Confirm this tenant and this account", "Diesen Mandanten und dieses Konto bestätigen"}
	textNotRight           = text{"It is not:", "Nein:"}
	textEndIt              = text{"end the connection, which deletes the tokens", "Verbindung beenden, was die Token löscht"}
	textFourEyesConfirm    = text{"You asked for this authorisation: by the rule of four eyes somebody else confirms it.", "Sie haben diese Autorisierung veranlasst: Nach dem Vier-Augen-Prinzip bestätigt sie jemand anderes."}
	textConfirmed          = text{"Confirmed. These are the accounts of the tenant.", "Bestätigt. Das sind die Konten des Mandanten."}
	textEnd                = text{"End", "Beenden"}
	countEndLead           = number{text{"%s account is let go by this. It stays as it is.", "%s Konto wird dadurch losgelassen. Es bleibt, wie es ist."}, text{"%s accounts are let go by this. All of them stay as they are.", "%s Konten werden dadurch losgelassen. Alle bleiben, wie sie sind."}}
	textEndAccounts        = text{"No account and no user is written: everybody stays active on both sides.", "Kein Konto und kein Benutzer wird geschrieben: Alle bleiben auf beiden Seiten aktiv."}
	textEndBindings        = text{"All bindings end at once, and no request is sent any more.", "Alle Bindungen enden sofort, und keine Anfrage wird mehr gesendet."}
	textEndTokens          = text{"The tokens are deleted and cannot be brought back.", "Die Token werden gelöscht und lassen sich nicht zurückholen."}
	textEndHistory         = text{"The history stays.", "Der Verlauf bleibt."}
	textEndAgain           = text{"The connection can be authorised again later, and those who were bound can be bound again.", "Die Verbindung kann später erneut autorisiert werden, und wer gebunden war, kann wieder gebunden werden."}
	textTypeName           = text{"Type the name to confirm:", "Zur Bestätigung den Namen eingeben:"}
	textTypedNameWrong     = text{"That is not the name. Nothing was done.", "Das ist nicht der Name. Nichts wurde ausgeführt."}
	textDeactivate         = text{"Deactivate the connection", "Verbindung beenden"}
	countEnded             = number{text{"Deactivated. %s binding has ended; nothing was written.", "Beendet. %s Bindung ist zu Ende; nichts wurde geschrieben."}, text{"Deactivated. %s bindings have ended; nothing was written.", "Beendet. %s Bindungen sind zu Ende; nichts wurde geschrieben."}}
	textRemoveMeans        = text{"It can be taken off the list as well. What was done stays in the activity.", "Sie kann auch aus der Liste entfernt werden. Was getan wurde, bleibt im Verlauf."}
	textRemoveFollows      = text{"Its settings and runs are not shown any more, and it cannot be authorised again: another one is made instead. The accounts in the tenant stay as they are.", "Ihre Einstellungen und Läufe werden nicht mehr gezeigt, und sie kann nicht wieder autorisiert werden: Dafür wird eine neue angelegt. Die Konten im Mandanten bleiben, wie sie sind."}
	textRemove             = text{"Take it off the list", "Aus der Liste entfernen"}
	textRemoved            = text{"The connection is off the list.", "Die Verbindung ist aus der Liste entfernt."}
)

// Accounts, imports, jobs.
var (
	textAccounts              = text{"Accounts", "Konten"}
	textAccountsLead          = text{"The accounts of the tenant, read now. Importing makes users of them in the directory, and writes nothing at Microsoft.", "Die Konten des Mandanten, gerade gelesen. Ein Import macht Benutzer des Verzeichnisses aus ihnen und schreibt nichts bei Microsoft."}
	textAllAccounts           = text{"all", "alle"}
	textVerdictNew            = text{"new", "neu"}
	textVerdictIn             = text{"in the directory", "im Verzeichnis"}
	textVerdictBound          = text{"bound", "gebunden"}
	textVerdictExternal       = text{"external", "extern"}
	textVerdictExcluded       = text{"excluded", "ausgenommen"}
	textVerdict               = text{"Verdict", "Einstufung"}
	textFirstWrites           = text{"First run would write", "Erster Lauf würde schreiben"}
	textSearch                = text{"Search", "Suchen"}
	textSearchAccounts        = text{"A part of a name or address", "Teil eines Namens oder einer Adresse"}
	textSearchOn              = text{"Search on", "Weitersuchen"}
	textNothingYetSearchOn    = text{"Nothing among those that were looked at so far; there are more.", "Unter den bisher angesehenen nichts; es gibt weitere."}
	textNoAccounts            = text{"The tenant has no account like that.", "Der Mandant hat kein solches Konto."}
	textIsBlocked             = text{"blocked at Microsoft", "bei Microsoft gesperrt"}
	textImportMakes           = text{"Each becomes a user of the directory, with the values of the account. Nothing is written to the tenant by that.", "Aus jedem wird ein Benutzer des Verzeichnisses, mit den Werten des Kontos. Im Mandanten wird dadurch nichts geschrieben."}
	countNew                  = number{text{"%s account is new.", "%s Konto ist neu."}, text{"%s accounts are new.", "%s Konten sind neu."}}
	countNewAtLeast           = number{text{"%s account at least is new.", "Mindestens %s Konto ist neu."}, text{"%s accounts at least are new.", "Mindestens %s Konten sind neu."}}
	countKnown                = number{text{"%s account has a user in the directory who is not bound.", "%s Konto hat einen Benutzer im Verzeichnis, der nicht gebunden ist."}, text{"%s accounts have users in the directory who are not bound.", "%s Konten haben Benutzer im Verzeichnis, die nicht gebunden sind."}}
	countKnownAtLeast         = number{text{"%s account at least has a user in the directory who is not bound.", "Mindestens %s Konto hat einen Benutzer im Verzeichnis, der nicht gebunden ist."}, text{"%s accounts at least have users in the directory who are not bound.", "Mindestens %s Konten haben Benutzer im Verzeichnis, die nicht gebunden sind."}}
	countImport               = number{text{"Import %s account", "%s Konto importieren"}, text{"Import %s accounts", "%s Konten importieren"}}
	countImportAtLeast        = number{text{"Import all, at least %s account", "Alle importieren, mindestens %s Konto"}, text{"Import all, at least %s accounts", "Alle importieren, mindestens %s Konten"}}
	countImportBind           = number{text{"Import and bind %s account", "%s Konto importieren und binden"}, text{"Import and bind %s accounts", "%s Konten importieren und binden"}}
	countImportBindAtLeast    = number{text{"Import and bind all, at least %s account", "Alle importieren und binden, mindestens %s Konto"}, text{"Import and bind all, at least %s accounts", "Alle importieren und binden, mindestens %s Konten"}}
	textCountCreated          = text{"Made", "Angelegt"}
	textCountUpdated          = text{"Changed", "Geändert"}
	textCountUnchanged        = text{"As they were", "Unverändert"}
	textCountExisting         = text{"In the directory before", "Schon im Verzeichnis"}
	textCountBoundBefore      = text{"Bound before", "Schon gebunden"}
	textCountByGroup          = text{"Bound by a group", "Durch eine Gruppe gebunden"}
	textCountRenamed          = text{"Would be renamed by the binding", "Werden durch die Bindung umbenannt"}
	textCountMembersAdded     = text{"Memberships added", "Mitgliedschaften hinzugefügt"}
	textCountMembersRemoved   = text{"Memberships removed", "Mitgliedschaften entfernt"}
	textCountMembersUnchanged = text{"Memberships as they were", "Mitgliedschaften unverändert"}
	textCountManagersSet      = text{"Managers set", "Vorgesetzte eingetragen"}
	textCountManagersUnknown  = text{"Managers who are not in the directory", "Vorgesetzte, die nicht im Verzeichnis sind"}
	textCountTwins            = text{"Held by two", "Von zweien gehalten"}
	textCountPhotos           = text{"Pictures stored", "Bilder gespeichert"}
	textCountNoPhoto          = text{"Without a picture", "Ohne Bild"}
	textCountPhotoKnown       = text{"Looked at lately", "Vor kurzem angesehen"}
	textCountPhotoUnusable    = text{"Pictures of no use", "Unbrauchbare Bilder"}
	textCountPhotoGone        = text{"Deleted meanwhile", "Inzwischen gelöscht"}
	textCountSeen             = text{"Looked at", "Angesehen"}
	textCountProducts         = text{"Products", "Produkte"}
	textImportAll             = text{"Import all that are new", "Alle neuen importieren"}
	textImportBindAll         = text{"Import all and bind them", "Alle importieren und binden"}
	textImport                = text{"Import the chosen", "Ausgewählte importieren"}
	textImportBind            = text{"Import and bind the chosen", "Ausgewählte importieren und binden"}
	textTickFirst             = text{"Tick the accounts that are to be imported.", "Wählen Sie die Konten aus, die importiert werden sollen."}
	textJobs                  = text{"Jobs", "Aufträge"}
	textNoJobs                = text{"There was no job yet. Imports, loads and bulk bindings are jobs.", "Es gab noch keinen Auftrag. Importe, geladene Dateien und Massenbindungen sind Aufträge."}
	textNoJobsMatch           = text{"No job is like that.", "Kein Auftrag ist so."}
	textToUsers               = text{"Look at the users", "Benutzer ansehen"}
	textJobQueued             = text{"waiting", "wartet"}
	textJobRunning            = text{"running", "läuft"}
	textJobImport             = text{"Import of accounts", "Import von Konten"}
	textJobImportGroups       = text{"Import of groups", "Import von Gruppen"}
	textJobBind               = text{"Binding of users", "Binden von Benutzern"}
	textJobLoad               = text{"Load of users", "Laden von Benutzern"}
	textJobCheck              = text{"Check of a file of users", "Prüfen einer Datei von Benutzern"}
	textJobLoadGroups         = text{"Load of groups", "Laden von Gruppen"}
	textJobCheckGroups        = text{"Check of a file of groups", "Prüfen einer Datei von Gruppen"}
	textJobVerify             = text{"Verification of the activity", "Prüfen des Verlaufs"}
	textJobLicences           = text{"Count of licences", "Zählen von Lizenzen"}
	textJobTakeBack           = text{"Taking back of a SCIM source's changes", "Rücknahme der Änderungen einer SCIM-Quelle"}
	textJobCheckTakeBack      = text{"Count of what would be taken back", "Zählung, was zurückgenommen würde"}
	textJobPhotos             = text{"Reading of pictures", "Lesen von Bildern"}
	textJobAddresses          = text{"Renewal of addresses", "Erneuern von Adressen"}
	textJobOther              = text{"Job", "Auftrag"}
	textDoneOf                = text{"%s of %s done", "%s von %s erledigt"}
	textLookAtRuns            = text{"Look at the runs", "Läufe ansehen"}
	textRefusedItems          = text{"What was refused", "Was abgewiesen wurde"}
	textNotes                 = text{"What you should know", "Was Sie wissen sollten"}
	textLine                  = text{"line %s", "Zeile %s"}
	countDone                 = number{text{"%s done", "%s erledigt"}, text{"%s done", "%s erledigt"}}
	countRefused              = number{text{"%s refused", "%s abgewiesen"}, text{"%s refused", "%s abgewiesen"}}
	textToTheSource           = text{"To the source", "Zur Quelle"}
)

// Members.
var (
	textMembers        = text{"Members", "Mitglieder"}
	textAllMembers     = text{"all", "alle"}
	textNoMembers      = text{"Nobody is bound like that. Bound users are kept as the directory says.", "Niemand ist so gebunden. Gebundene Benutzer werden so gehalten, wie es das Verzeichnis sagt."}
	textNotAllAgreed   = text{"changes declined", "Änderungen abgelehnt"}
	textInSync         = text{"in sync", "im Einklang"}
	textBindingPending = text{"waiting", "wartet"}
	textConflict       = text{"conflict", "Konflikt"}
	textBindingRefused = text{"refused", "abgewiesen"}
	textReadOnly       = text{"read-only", "nur lesbar"}
	textPaused         = text{"paused", "pausiert"}
	textBeingReleased  = text{"being released", "wird gelöst"}
	textLastWritten    = text{"Last written", "Zuletzt geschrieben"}
	textActs           = text{"What can be done", "Aktionen"}
	textMadeByUs       = text{"made by Bindery", "von Bindery angelegt"}
	textExpectedBy     = text{"expected by", "erwartet bis"}
	textResume         = text{"Resume", "Fortsetzen"}
	textPause          = text{"Pause", "Pausieren"}
	textRetry          = text{"Retry", "Erneut versuchen"}
	textReleaseDots    = text{"Release…", "Bindung lösen…"}
	textPausedNow      = text{"Paused: nothing is written to this account until it is resumed.", "Pausiert: Bis zum Fortsetzen wird diesem Konto nichts geschrieben."}
	textResumedNow     = text{"Resumed: the account is kept as the directory says again.", "Fortgesetzt: Das Konto wird wieder so gehalten, wie es das Verzeichnis sagt."}
	textRetriedNow     = text{"It is planned again now.", "Es wird jetzt erneut geplant."}
	textBindUsers      = text{"Bind users", "Benutzer binden"}
	textBindMeans      = text{"A bound user has an account in the tenant, and it is kept as the directory says: one that has the address is adopted, otherwise one is created.", "Ein gebundener Benutzer hat ein Konto im Mandanten, und es wird so gehalten, wie es das Verzeichnis sagt: Eines mit der Adresse wird übernommen, sonst wird eines angelegt."}
	textBindAtOnce     = text{"The first run begins within seconds", "Der erste Lauf beginnt binnen Sekunden"}
	textBindAtOnceMore = text{"This connection writes by itself, within the limits of the guard.", "Diese Verbindung schreibt von selbst, in den Grenzen des Wächters."}
	textBindHeld       = text{"Every run of this connection waits for approval: you see the plan before anything is written.", "Jeder Lauf dieser Verbindung wartet auf Genehmigung: Sie sehen den Plan, bevor etwas geschrieben wird."}
	textTheseUsers     = text{"These users, by their e-mail addresses (at most 100) or IDs (at most 500)", "Diese Benutzer, mit ihren E-Mail-Adressen (höchstens 100) oder IDs (höchstens 500)"}
	textNobodyBound    = text{"Nobody was bound. No user has the address (at most 100 at once): %s", "Niemand wurde gebunden. Kein Benutzer hat die Adresse (höchstens 100 auf einmal): %s"}
	textBindThese      = text{"Bind these", "Diese binden"}
	countUsersInAll    = number{text{"There is %s user in the directory.", "Im Verzeichnis ist %s Benutzer."}, text{"There are %s users in the directory.", "Im Verzeichnis sind %s Benutzer."}}
	countMembersNow    = number{text{"%s is a member of this connection now.", "%s ist jetzt Mitglied dieser Verbindung."}, text{"%s are members of this connection now.", "%s sind jetzt Mitglieder dieser Verbindung."}}
	textPreviousReach  = text{"All are meant who were bound when the connection was let go; how many, the job says once it has begun.", "Gemeint sind alle, die gebunden waren, als die Verbindung gelöst wurde; wie viele, sagt der Auftrag, sobald er begonnen hat."}
	textBindAll        = text{"Bind all users", "Alle Benutzer binden"}
	countBindUpTo      = number{text{"Bind up to %s user", "Bis zu %s Benutzer binden"}, text{"Bind up to %s users", "Bis zu %s Benutzer binden"}}
	textBindPrevious   = text{"Bind those who were bound before", "Früher Gebundene wieder binden"}
	textNameUsers      = text{"Name the users that are to be bound.", "Nennen Sie die Benutzer, die gebunden werden sollen."}
	countBound         = number{text{"%s user is bound.", "%s Benutzer ist gebunden."}, text{"%s users are bound.", "%s Benutzer sind gebunden."}}
	textReleaseTitle   = text{"Release an account", "Bindung lösen"}
	textReleaseMeans   = text{"The binding ends. What becomes of the account:", "Die Bindung endet. Was aus dem Konto wird:"}
	textReleaseThen    = text{"The account", "Das Konto"}
	textReleaseKeep    = text{"stays as it is.", "bleibt, wie es ist."}
	textReleaseBlock   = text{"is blocked, and its sessions end.", "wird gesperrt, und seine Sitzungen enden."}
	textReleaseRestore = text{"gets back the values from before the binding.", "bekommt die Werte von vor der Bindung zurück."}
	textTryFirst       = text{"Try it first", "Erst ausprobieren"}
	textRelease        = text{"Release", "Bindung lösen"}
	textReleased       = text{"Released.", "Die Bindung ist gelöst."}
	textHeldBy         = text{"Held by:", "Gehört:"}
	textWhoHasIt       = text{"Who has it", "Wer es hat"}
	textRetryAll       = text{"Try all of them again", "Alle erneut versuchen"}
	textNobodyHasIt    = text{"Nobody has this problem any more.", "Dieses Problem hat niemand mehr."}
	textWho            = text{"Who", "Wer"}
	textLookAgain      = text{"Look again", "Noch einmal ansehen"}
	textUnread         = text{"What could not be looked at", "Was nicht angesehen werden konnte"}
	textDoctorComes    = text{"The doctor comes in a moment. Look again then.", "Die Untersuchung beginnt gleich. Sehen Sie dann wieder nach."}
)

// Users.
var (
	textUsers                = text{"Users", "Benutzer"}
	textEmail                = text{"E-mail", "E-Mail"}
	textSource               = text{"Source", "Quelle"}
	textUpdated              = text{"Updated", "Geändert"}
	textCreated              = text{"Created", "Angelegt"}
	textID                   = text{"ID", "ID"}
	textUserActive           = text{"active", "aktiv"}
	textUserSuspended        = text{"suspended", "deaktiviert"}
	textUserStaged           = text{"staged", "vorgemerkt"}
	textUserDeleted          = text{"deleted", "gelöscht"}
	textSourceManual         = text{"by hand", "von Hand"}
	textSourceSCIM           = text{"SCIM", "SCIM"}
	textSourceAD             = text{"Active Directory", "Active Directory"}
	textSourceM365           = text{"imported", "importiert"}
	textDeletedUsers         = text{"Deleted users", "Gelöschte Benutzer"}
	textNoUsers              = text{"The directory has no users yet. Import the accounts of a tenant, or add users.", "Das Verzeichnis hat noch keine Benutzer. Importieren Sie die Konten eines Mandanten, oder legen Sie Benutzer an."}
	textNoUsersMatch         = text{"No user is like that.", "Kein Benutzer ist so."}
	textAddUser              = text{"Add a user", "Benutzer anlegen"}
	textUserMade             = text{"The user is made.", "Der Benutzer ist angelegt."}
	textEdit                 = text{"Edit", "Bearbeiten"}
	textEditTitle            = text{"Edit %s", "%s bearbeiten"}
	textSave                 = text{"Save", "Speichern"}
	textSaved                = text{"Saved. Bound accounts follow by the next run, in the properties that their connection writes: within seconds, or once somebody has approved it.", "Gespeichert. Gebundene Konten folgen mit dem nächsten Lauf, in den Eigenschaften, die ihre Verbindung schreibt: binnen Sekunden, oder sobald ihn jemand genehmigt hat."}
	textNobodyIsManager      = text{"No user has this e-mail address.", "Kein Benutzer hat diese E-Mail-Adresse."}
	textNothingChanged       = text{"Nothing was changed.", "Nichts wurde geändert."}
	textSuspend              = text{"Suspend", "Deaktivieren"}
	textSuspendMeans         = text{"Suspending blocks the bound account and ends its sessions by the next run: within seconds, or once somebody has approved it. Activating lifts that block.", "Deaktivieren sperrt das gebundene Konto und beendet seine Sitzungen mit dem nächsten Lauf: binnen Sekunden, oder sobald ihn jemand genehmigt hat. Aktivieren hebt diese Sperre auf."}
	textActivate             = text{"Activate", "Aktivieren"}
	textActivateMeans        = text{"Activating lifts the block of the bound account, if the block was ours.", "Aktivieren hebt die Sperre des gebundenen Kontos auf, wenn sie von uns war."}
	textSuspendedNow         = text{"Suspended. The next run blocks the bound account: within seconds, or once somebody has approved it. What is paused stays as it is.", "Deaktiviert. Der nächste Lauf sperrt das gebundene Konto: binnen Sekunden, oder sobald ihn jemand genehmigt hat. Was pausiert ist, bleibt, wie es ist."}
	textActivatedNow         = text{"Activated. The bound account follows by the next run: within seconds, or once somebody has approved it.", "Aktiviert. Das gebundene Konto folgt mit dem nächsten Lauf: binnen Sekunden, oder sobald ihn jemand genehmigt hat."}
	textRestore              = text{"Restore", "Wiederherstellen"}
	textRestoredNow          = text{"Restored.", "Wiederhergestellt."}
	textDeletedMeans         = text{"Deleted users can be restored for 30 days. Deleted:", "Gelöschte Benutzer lassen sich 30 Tage lang wiederherstellen. Gelöscht:"}
	textDelete               = text{"Delete the user", "Benutzer löschen"}
	textDeleteDots           = text{"Delete…", "Löschen…"}
	textDeleteTitle          = text{"Delete %s?", "%s löschen?"}
	textDeleteMeans          = text{"The bound account is blocked and its sessions end, or what the connection's settings say of deleted users.", "Das gebundene Konto wird gesperrt und seine Sitzungen enden, oder was die Einstellungen der Verbindung für gelöschte Benutzer sagen."}
	textDeleteBack           = text{"The user can be restored for 30 days. The address is free at once.", "Der Benutzer lässt sich 30 Tage lang wiederherstellen. Die Adresse ist sofort frei."}
	textUserDeletedNow       = text{"Deleted. It can be restored for 30 days.", "Gelöscht. Wiederherstellen geht 30 Tage lang."}
	textBothVersions         = text{"Nothing is saved yet. What others alone have changed stands in the fields by now; of what both have changed, choose.", "Noch ist nichts gespeichert. Was nur andere geändert haben, steht schon in den Feldern; was beide geändert haben, wählen Sie."}
	textBothChanged          = text{"Both of you have changed this", "Beide haben das geändert"}
	textTakeMine             = text{"Take what stands in the field", "Nehmen, was im Feld steht"}
	textTakeTheirs           = text{"Take what it is by now:", "Nehmen, was es inzwischen ist:"}
	textTakenOver            = text{"Changed meanwhile, and taken over. In your form it was:", "Inzwischen geändert und übernommen. In Ihrem Formular stand:"}
	textLastEditBy           = text{"Last edited by", "Zuletzt bearbeitet von"}
	textLastEditYours        = text{"You have last edited it yourself,", "Zuletzt haben Sie es selbst bearbeitet,"}
	textChangedMeanwhile     = text{"Somebody changed it meanwhile", "Jemand hat es inzwischen geändert"}
	textUndo                 = text{"Undo", "Rückgängig machen"}
	textTakenBack            = text{"Undone.", "Rückgängig gemacht."}
	textNotTakenBack         = text{"It can no longer be undone", "Es lässt sich nicht mehr rückgängig machen"}
	textNotTakenBackMore     = text{"Nothing was done: undoing would take back what came after your act as well. Look at it as it is now, and decide again.", "Nichts wurde ausgeführt: Sonst würde auch zurückgenommen, was nach Ihnen kam. Sehen Sie sich den jetzigen Stand an und entscheiden Sie neu."}
	textChangedMeanwhileMore = text{"Nothing was done. Look at it as it is now, and decide again.", "Nichts wurde ausgeführt. Sehen Sie sich den jetzigen Stand an und entscheiden Sie neu."}
	textBoundTo              = text{"Accounts", "Konten"}
	textNotBound             = text{"Not bound: no account follows this user.", "Nicht gebunden: Kein Konto folgt diesem Benutzer."}
	textInGroups             = text{"Groups", "Gruppen"}
	textInNoGroup            = text{"In no group.", "In keiner Gruppe."}
	textThrough              = text{"through", "über"}
	textHistory              = text{"History", "Verlauf"}
	textNothingWasDone       = text{"Nothing was done in this time.", "In dieser Zeit wurde nichts getan."}
	textBy                   = text{"By", "Von"}
	textTheRunItself         = text{"the run", "der Lauf"}
	textTheJobItself         = text{"the job", "der Auftrag"}
	textEditThere            = text{"from %s; edit it there", "von %s; dort bearbeiten"}
	textManagerGone          = text{"deleted: nobody is manager until another one is named", "gelöscht: Niemand ist vorgesetzt, bis jemand anderes genannt wird"}
	textManagerThere         = text{"Manager at Microsoft", "Vorgesetzte bei Microsoft"}
)

// The list of users, and acts about many of them.
var (
	textUserName           = text{"User name", "Benutzername"}
	textRows               = text{"Rows %s–%s", "Zeilen %s–%s"}
	textRowsOf             = text{"Rows %s–%s of about %s", "Zeilen %s–%s von etwa %s"}
	textSearchedIn         = text{"Searched in: names, addresses, IDs.", "Gesucht wurde in: Namen, Adressen, IDs."}
	textNoMoreUsers        = text{"There are no more users in this list.", "In dieser Liste gibt es keine weiteren Benutzer."}
	textNoDeletedUsers     = text{"Nobody is deleted who could be restored.", "Niemand ist gelöscht, der sich wiederherstellen ließe."}
	textTooManyPicked      = text{"At most %s users may be ticked one by one. Narrow the list by a filter, and take all that match it.", "Höchstens %s Benutzer lassen sich einzeln auswählen. Grenzen Sie die Liste durch einen Filter ein und nehmen Sie alle, auf die er passt."}
	textClear              = text{"Clear", "Auswahl aufheben"}
	textWhom               = text{"Whom", "Wen"}
	textTheChosen          = text{"those ticked", "die Ausgewählten"}
	textAllThatMatch       = text{"all that match the filter", "alle, auf die der Filter passt"}
	textAllOfThem          = text{"all users", "alle Benutzer"}
	textSuspendDots        = text{"Suspend…", "Deaktivieren…"}
	textActivateDots       = text{"Activate…", "Aktivieren…"}
	textBindDots           = text{"Bind…", "Binden…"}
	countSuspendAsk        = number{text{"Suspend %s user?", "%s Benutzer deaktivieren?"}, text{"Suspend %s users?", "%s Benutzer deaktivieren?"}}
	countActivateAsk       = number{text{"Activate %s user?", "%s Benutzer aktivieren?"}, text{"Activate %s users?", "%s Benutzer aktivieren?"}}
	countBindAsk           = number{text{"Bind %s user?", "%s Benutzer binden?"}, text{"Bind %s users?", "%s Benutzer binden?"}}
	countSuspendDo         = number{text{"Suspend %s user", "%s Benutzer deaktivieren"}, text{"Suspend %s users", "%s Benutzer deaktivieren"}}
	countActivateDo        = number{text{"Activate %s user", "%s Benutzer aktivieren"}, text{"Activate %s users", "%s Benutzer aktivieren"}}
	countBindDo            = number{text{"Bind %s user", "%s Benutzer binden"}, text{"Bind %s users", "%s Benutzer binden"}}
	countSuspended         = number{text{"%s user is suspended. The bound account follows.", "%s Benutzer ist deaktiviert. Das gebundene Konto folgt."}, text{"%s users are suspended. Bound accounts follow.", "%s Benutzer sind deaktiviert. Gebundene Konten folgen."}}
	countActivated         = number{text{"%s user is active. The bound account follows.", "%s Benutzer ist aktiv. Das gebundene Konto folgt."}, text{"%s users are active. Bound accounts follow.", "%s Benutzer sind aktiv. Gebundene Konten folgen."}}
	countSuspendedAlready  = number{text{"%s more is suspended already, and stays so.", "%s weiterer ist schon deaktiviert und bleibt es."}, text{"%s more are suspended already, and stay so.", "%s weitere sind schon deaktiviert und bleiben es."}}
	countStagedLeft        = number{text{"%s more is staged and left out: they have not begun, and taking the suspension back would activate them.", "%s weiterer ist vorgemerkt und bleibt außen vor: Er hat noch nicht begonnen, und das Zurücknehmen würde ihn aktivieren."}, text{"%s more are staged and left out: they have not begun, and taking the suspension back would activate them.", "%s weitere sind vorgemerkt und bleiben außen vor: Sie haben noch nicht begonnen, und das Zurücknehmen würde sie aktivieren."}}
	countActiveAlready     = number{text{"%s more is active already, and stays so.", "%s weiterer ist schon aktiv und bleibt es."}, text{"%s more are active already, and stay so.", "%s weitere sind schon aktiv und bleiben es."}}
	countOwnedBy           = number{text{"%s more is left alone: the state comes from %s, and is changed there.", "%s weiterer bleibt, wie er ist: Der Zustand kommt von %s und wird dort geändert."}, text{"%s more are left alone: their state comes from %s, and is changed there.", "%s weitere bleiben, wie sie sind: Ihr Zustand kommt von %s und wird dort geändert."}}
	countMoreUsers         = number{text{"and %s more", "und %s weiterer"}, text{"and %s more", "und %s weitere"}}
	textNobodyPicked       = text{"Nobody is ticked. Tick users in the list, or take all that match its filter.", "Niemand ist ausgewählt. Wählen Sie Benutzer in der Liste aus, oder nehmen Sie alle, auf die ihr Filter passt."}
	textNobodyToChange     = text{"There is nobody for whom this would change anything.", "Es gibt niemanden, bei dem das etwas ändern würde."}
	textTooMany            = text{"More users than one act takes", "Mehr Benutzer, als auf einmal gehen"}
	textTooManyMore        = text{"At most %s at once, and no more than can be looked through in ten seconds. Narrow the list by a filter; or, for whole lists, load a file or bind all users on the page of the connection.", "Höchstens %s auf einmal, und nicht mehr, als sich in zehn Sekunden durchsehen lässt. Grenzen Sie die Liste durch einen Filter ein; ganze Listen gehen auch als Datei, und alle Benutzer bindet die Seite der Verbindung."}
	textNothingDoneYet     = text{"Nothing has been done yet.", "Noch ist nichts geschehen."}
	textWhatFollows        = text{"What follows at Microsoft", "Was bei Microsoft folgt"}
	textManySuspendMeans   = text{"The accounts that are bound are blocked, and their sessions end. Nothing is deleted, and activating lifts the block again. The guard holds the run where it is more than its limits allow.", "Die gebundenen Konten werden gesperrt, und ihre Sitzungen enden. Nichts wird gelöscht, und Aktivieren hebt die Sperre wieder auf. Der Wächter hält den Lauf an, wo es mehr ist, als seine Grenzen erlauben."}
	textManyActivateMeans  = text{"The block of bound accounts is lifted, where it was ours. A block that others made stays.", "Die Sperre gebundener Konten wird aufgehoben, wo sie von uns war. Eine Sperre von anderen bleibt."}
	textManyJob            = text{"So many are done by a job: its page shows how far it is, and whom it refused. It may be left.", "So viele erledigt ein Auftrag: Seine Seite zeigt, wie weit er ist und wen er abgewiesen hat. Sie kann verlassen werden."}
	textWritesWithin       = text{"writes by itself, within seconds, at the latest in %s", "schreibt von selbst, binnen Sekunden, spätestens in %s"}
	textWaitsForApproval   = text{"nothing is written until somebody approves the run", "nichts wird geschrieben, bis jemand den Lauf genehmigt"}
	textNoActiveConnection = text{"No connection is active: nothing is written anywhere.", "Keine Verbindung ist aktiv: Nirgends wird etwas geschrieben."}
	textThroughWhich       = text{"Through which connection", "Über welche Verbindung"}
	textOtherNumber        = text{"It is about other users by now. Nothing was done.", "Es geht inzwischen um andere Benutzer. Nichts wurde ausgeführt."}
	textOtherNumberMore    = text{"Somebody has changed users since this page was made. Here is what it would come to now.", "Jemand hat Benutzer geändert, seit diese Seite entstand. Hier steht, was es jetzt wäre."}
	textTakeItBack         = text{"Take it back…", "Zurücknehmen…"}
)

// Groups, and what connections do with them.
var (
	textGroups            = text{"Groups", "Gruppen"}
	textGroup             = text{"Group", "Gruppe"}
	textUsedBy            = text{"Used by", "Benutzt von"}
	textNotUsed           = text{"No connection does anything with this group. On a connection's page of groups its members can be bound, it can be exported, and its members licensed.", "Keine Verbindung tut etwas mit dieser Gruppe. Auf der Gruppenseite einer Verbindung lassen sich ihre Mitglieder binden, sie exportieren und ihre Mitglieder lizenzieren."}
	textNoGroups          = text{"The directory has no groups yet.", "Das Verzeichnis hat noch keine Gruppen."}
	textNoGroupsMatch     = text{"No group is like that.", "Keine Gruppe ist so."}
	textAddGroup          = text{"Add a group", "Gruppe anlegen"}
	textGroupMade         = text{"The group is made.", "Die Gruppe ist angelegt."}
	textSavedGroup        = text{"Saved. Where the group is exported, it follows by the next run: within seconds, or once somebody has approved it.", "Gespeichert. Wo die Gruppe exportiert ist, folgt sie mit dem nächsten Lauf: binnen Sekunden, oder sobald ihn jemand genehmigt hat."}
	textDeletedGroups     = text{"Deleted groups", "Gelöschte Gruppen"}
	textDescription       = text{"Description", "Beschreibung"}
	textDescriptionHelp   = text{"Also of the tenant's group, where it is exported.", "Auch die der Gruppe im Mandanten, wo sie exportiert ist."}
	textGroupNameHelp     = text{"Unique among the groups of the directory.", "Eindeutig unter den Gruppen des Verzeichnisses."}
	textMailNickname      = text{"Mail nickname", "Mail-Alias"}
	textMailNicknameHelp  = text{"For exports; empty, one is made of the name.", "Für Exporte; leer wird einer aus dem Namen gemacht."}
	textDirectMembers     = text{"direct members", "direkte Mitglieder"}
	textAllInIt           = text{"all users in it", "alle Benutzer darin"}
	textNoMembersYet      = text{"It has no members yet.", "Sie hat noch keine Mitglieder."}
	textAGroup            = text{"a group", "eine Gruppe"}
	textAdded             = text{"Added", "Hinzugefügt"}
	textAddMembers        = text{"Add members", "Mitglieder hinzufügen"}
	textUsersByID         = text{"Users, by their e-mail addresses or IDs", "Benutzer, mit ihren E-Mail-Adressen oder IDs"}
	textNobodyHasAddress  = text{"Nobody was added. No user has the address (at most 100 at once): %s", "Niemand wurde hinzugefügt. Kein Benutzer hat die Adresse (höchstens 100 auf einmal): %s"}
	textGroupsAbove       = text{"groups it is in", "Gruppen, in denen sie ist"}
	textSearchedInGroups  = text{"Searched in: names, descriptions, IDs.", "Gesucht wurde in: Namen, Beschreibungen, IDs."}
	textNoDeletedGroups   = text{"No group is deleted that could be restored.", "Keine Gruppe ist gelöscht, die sich wiederherstellen ließe."}
	textGroupsByID        = text{"Groups, by their names or IDs, with commas between", "Gruppen, mit ihren Namen oder IDs, mit Kommas dazwischen"}
	textNoGroupHasName    = text{"Nothing was added. No group has the name: %s", "Nichts wurde hinzugefügt. Keine Gruppe hat den Namen: %s"}
	textTakeOut           = text{"Take the chosen out", "Ausgewählte herausnehmen"}
	textNameMembers       = text{"Name members, or tick them.", "Nennen Sie Mitglieder, oder wählen Sie sie aus."}
	countMembersAdded     = number{text{"%s member is added.", "%s Mitglied ist hinzugefügt."}, text{"%s members are added.", "%s Mitglieder sind hinzugefügt."}}
	countMembersRemoved   = number{text{"%s member is taken out.", "%s Mitglied ist herausgenommen."}, text{"%s members are taken out.", "%s Mitglieder sind herausgenommen."}}
	textGroupDeletedMeans = text{"Deleted groups can be restored with their members for 30 days. Deleted:", "Gelöschte Gruppen lassen sich 30 Tage lang mit ihren Mitgliedern wiederherstellen. Gelöscht:"}
	countGroupDeleteMeans = number{text{"The group ends, with its %s membership. Its member stays a user.", "Die Gruppe endet mit ihrer %s Mitgliedschaft. Ihr Mitglied bleibt Benutzer."}, text{"The group ends, with its %s memberships. Its members stay users.", "Die Gruppe endet mit ihren %s Mitgliedschaften. Ihre Mitglieder bleiben Benutzer."}}
	textGroupDeleteUses   = text{"What connections do with it ends as they say: whom it alone selects is released, its export ends.", "Was Verbindungen mit ihr tun, endet so, wie sie es sagen: Wen sie allein auswählt, dessen Bindung endet, ihr Export endet."}
	textGroupDeleteBack   = text{"It can be restored for 30 days.", "Sie lässt sich 30 Tage lang wiederherstellen."}
	textDeleteGroup       = text{"Delete the group", "Gruppe löschen"}
	textGroupDeletedNow   = text{"The group is deleted. It can be restored for 30 days.", "Die Gruppe ist gelöscht. Wiederherstellen geht 30 Tage lang."}
	textUsesLead          = text{"What this connection does with groups of the directory: bind their members, keep them as groups of the tenant, license their members.", "Was diese Verbindung mit Gruppen des Verzeichnisses tut: ihre Mitglieder binden, sie als Gruppen des Mandanten halten, ihre Mitglieder lizenzieren."}
	textNoUses            = text{"The connection does nothing with groups yet. Choose one.", "Die Verbindung tut noch nichts mit Gruppen. Wählen Sie eine aus."}
	textWhatItDoesWith    = text{"What it does", "Was sie tut"}
	textGroupID           = text{"A group, by its name or ID", "Eine Gruppe, mit ihrem Namen oder ihrer ID"}
	textUseGroup          = text{"Use a group", "Gruppe benutzen"}
	textUseOf             = text{"What is done with", "Was getan wird mit"}
	textUseSelect         = text{"binds its members", "bindet ihre Mitglieder"}
	textUseSecurity       = text{"is a security group of the tenant", "ist eine Sicherheitsgruppe des Mandanten"}
	textUseMicrosoft365   = text{"is a Microsoft 365 group of the tenant", "ist eine Microsoft-365-Gruppe des Mandanten"}
	textUseExact          = text{"others are removed from it", "andere werden daraus entfernt"}
	textUseLicence        = text{"gives its members", "gibt ihren Mitgliedern"}
	textUseEnding         = text{"ending", "endet"}
	textLackingShort      = text{"permission lacking", "Berechtigung fehlt"}
	textUpToDate          = text{"up to date", "auf dem Stand"}
	countUsersPlain       = number{text{"%s user", "%s Benutzer"}, text{"%s users", "%s Benutzer"}}
	textSelectMeans       = text{"Bind the members, also of groups in it; who leaves is released.", "Die Mitglieder binden, auch die von Gruppen darin; wer geht, dessen Bindung endet."}
	textExport            = text{"As a group of the tenant", "Als Gruppe des Mandanten"}
	textExportNone        = text{"is none", "ist keine"}
	textMembersThere      = text{"Its members there", "Ihre Mitglieder dort"}
	textMembersAdd        = text{"are added; whom others added stays.", "kommen hinzu; wen andere hinzugefügt haben, bleibt."}
	textMembersExact      = text{"are these and no others: others are removed. Needs bindery/approve as well.", "sind diese und keine anderen: Andere werden entfernt. Braucht auch bindery/approve."}
	textWhenItEnds        = text{"When the export ends, the tenant's group", "Wenn der Export endet, wird die Gruppe im Mandanten"}
	textEndsKeep          = text{"stays as it is.", "gelassen, wie sie ist."}
	textEndsEmpty         = text{"loses the members that Bindery added.", "um die Mitglieder geleert, die Bindery hinzugefügt hat."}
	textEndsRestore       = text{"is made again what it was before.", "wieder zu dem gemacht, was sie vorher war."}
	textEndsDelete        = text{"is deleted if Bindery made it. Needs bindery/approve as well.", "gelöscht, wenn Bindery sie angelegt hat. Braucht auch bindery/approve."}
	textMembersHere       = text{"Its members", "Ihre Mitglieder"}
	textWhoLeaves         = text{"The account of whoever leaves", "Das Konto, wenn jemand ausscheidet"}
	textAsTheSettingsSay  = text{"as the connection's settings say", "wie es die Einstellungen der Verbindung sagen"}
	textReleasedKept      = text{"stays as it is", "bleibt, wie es ist"}
	textReleasedBlocked   = text{"is blocked (needs bindery/approve)", "wird gesperrt (braucht bindery/approve)"}
	textReleasedRestored  = text{"gets its former values back (needs bindery/approve)", "bekommt seine früheren Werte zurück (braucht bindery/approve)"}
	textWelcomeMail       = text{"Microsoft greets the members of a Microsoft 365 group by mail.", "Microsoft begrüßt die Mitglieder einer Microsoft-365-Gruppe per E-Mail."}
	textGroupsInIt        = text{"Groups that are in it", "Gruppen darin"}
	textNestedFlatten     = text{"give it their members.", "geben ihr ihre Mitglieder."}
	textNestedKeep        = text{"are members themselves, where they are groups of the tenant too.", "sind selbst Mitglieder, wo auch sie Gruppen des Mandanten sind."}
	textGive              = text{"Give", "Geben"}
	textGiveThis          = text{"Give %s", "%s geben"}
	textVia               = text{"By", "Durch"}
	textViaOf             = text{"Who gives %s", "Wer %s gibt"}
	textViaUser           = text{"Bindery, to each account", "Bindery, jedem Konto"}
	textViaGroup          = text{"the tenant's group (Microsoft, in its own time)", "die Gruppe des Mandanten (durch Microsoft, zu dessen Zeit)"}
	textServicesLeft      = text{"Services left out", "Weggelassene Dienste"}
	textServicesLeftOf    = text{"Services of %s that are left out", "Dienste von %s, die weggelassen werden"}
	textPriority          = text{"Priority", "Vorrang"}
	textPriorityOf        = text{"Priority of %s", "Vorrang von %s"}
	textNoNumber          = text{"“%s” is not a number.", "„%s“ ist keine Zahl."}
	textNoWholeNumber     = text{"“%s” is not a whole number.", "„%s“ ist keine ganze Zahl."}
	textAmbiguousNumber   = text{"“%s” can be read as thousands and as a fraction. Type it without dots and commas.", "„%s“ kann Tausend oder einen Bruchteil bedeuten. Geben Sie die Zahl ohne Punkte und Kommas ein."}
	textLicenceRulesMean  = text{"When seats are short, the higher priority goes first. Services by their names, with commas between.", "Wenn Plätze knapp sind, geht der höhere Vorrang vor. Dienste mit Namen, mit Kommas dazwischen."}
	textProductsUnread    = text{"The products of the tenant could not be read.", "Die Produkte des Mandanten ließen sich nicht lesen."}
	textMoreLicences      = text{"Give these as well", "Diese ebenfalls geben"}
	textLicencesOf        = text{"Licences for its members", "Lizenzen für ihre Mitglieder"}
	textLicencesOfHelp    = text{"Part numbers, as SPE_E3, with commas between; the page of licences lists them.", "Teilenummern wie SPE_E3, mit Kommas dazwischen; die Seite der Lizenzen führt sie auf."}
	textUseSaved          = text{"Saved. What follows is made by the next run, through plan and guard.", "Gespeichert. Was folgt, macht der nächste Lauf, durch Plan und Wächter."}
	textEndUse            = text{"End this use", "Diese Nutzung beenden"}
	textEndUseMeans       = text{"What it gave is taken back, or kept, as it says.", "Was sie gab, wird zurückgenommen oder behalten, wie sie es sagt."}
	textEndUseDots        = text{"End this use…", "Diese Nutzung beenden…"}
	textEndReleases       = text{"The account of whoever is a member by this use alone", "Das Konto von allen, die allein durch diese Nutzung Mitglied sind,"}
	countLicencesTaken    = number{text{"%s licence is taken back from whoever has it by this use alone.", "%s Lizenz wird allen entzogen, die sie allein durch diese Nutzung haben."}, text{"%s licences are taken back from whoever has them by this use alone.", "%s Lizenzen werden allen entzogen, die sie allein durch diese Nutzung haben."}}
	countReached          = number{text{"It reaches %s user, as of", "Sie betrifft %s Benutzer, Stand"}, text{"It reaches %s users, as of", "Sie betrifft %s Benutzer, Stand"}}
	textReachUnknown      = text{"It has not been followed yet: for how many it ends is not known.", "Sie wurde noch nicht umgesetzt: Für wie viele sie endet, ist nicht bekannt."}
	textNoUseNow          = text{"The connection does nothing with this group by now.", "Die Verbindung tut mit dieser Gruppe inzwischen nichts."}
	textBothUses          = text{"Nothing was saved. The fields have what you said, here is what the connection does with the group by now. Saving puts what is in the fields in its place.", "Nichts wurde gespeichert. In den Feldern steht Ihre Angabe, hier, was die Verbindung inzwischen mit der Gruppe tut. Speichern setzt die Felder an dessen Stelle."}
	textUseEnded          = text{"The use ends.", "Die Nutzung endet."}
	textForecast          = text{"What is likely to follow", "Was wohl folgt"}
	textForecastMeans     = text{"Nothing is saved yet. An estimate of our own records; every write is shown by a plan of the connection.", "Noch ist nichts gespeichert. Eine Schätzung aus eigenen Daten; jedes Schreiben zeigt ein Plan der Verbindung."}
	textUsersInIt         = text{"Users in it", "Benutzer darin"}
	textWouldBeBound      = text{"Would be bound", "Würden gebunden"}
	textCannotBeBound     = text{"Cannot be bound", "Nicht bindbar"}
	textWouldBeReleased   = text{"Would be released, at most", "Bindungen, die enden würden, höchstens"}
	textMembersToAdd      = text{"Memberships added", "Mitgliedschaften dazu"}
	textMembersToRemove   = text{"Memberships taken back", "Mitgliedschaften zurück"}
	textWrites            = text{"Writes at Microsoft", "Schreibvorgänge bei Microsoft"}
	textTakesAtLeast      = text{"Takes at least", "Dauert mindestens"}
	textIncomplete        = text{"The group has more users than were looked at: all numbers are too small.", "Die Gruppe hat mehr Benutzer, als angesehen wurden: Alle Zahlen sind zu klein."}
	countWaitForSeat      = number{text{"%s would wait for a seat", "%s würde auf einen Platz warten"}, text{"%s would wait for a seat", "%s würden auf einen Platz warten"}}
)

// Settings.
var (
	textSettings               = text{"Settings", "Einstellungen"}
	textSetting                = text{"Setting", "Einstellung"}
	textNotSet                 = text{"not set", "nicht gesetzt"}
	textByNow                  = text{"By now", "Inzwischen"}
	textInTheForm              = text{"In this form", "In diesem Formular"}
	textBothSettings           = text{"Nothing was saved. In these values the form differs from the settings as they are by now; saving it takes what stands in the form. Correct the fields first that you do not mean to change.", "Nichts wurde gespeichert. In diesen Werten weicht das Formular von den jetzigen Einstellungen ab; Speichern übernimmt das Formular. Korrigieren Sie zuerst die Felder, die Sie nicht ändern wollen."}
	textSettingsLead           = text{"“Try it first” plans a whole run with exactly these values and writes nothing. What makes a safety rule weaker needs bindery/approve as well.", "„Erst ausprobieren“ plant einen ganzen Lauf mit genau diesen Werten und schreibt nichts. Was eine Sicherheitsregel lockert, braucht auch bindery/approve."}
	textSettingsSaved          = text{"Saved. The next run uses it.", "Gespeichert. Der nächste Lauf benutzt es."}
	textProposed               = text{"It makes a safety rule weaker, and waits for somebody else to approve it until %s.", "Es lockert eine Sicherheitsregel und wartet bis %s auf die Genehmigung von jemand anderem."}
	textSettingsRuns           = text{"Runs", "Abgleich"}
	textSettingsLeavers        = text{"Leavers", "Ausscheidende"}
	textSettingsAccounts       = text{"Written accounts", "Geschriebene Konten"}
	textSettingsParts          = text{"Parts of the settings", "Teile der Einstellungen"}
	textSettingsGeneral        = text{"General", "Allgemein"}
	textSettingsDomains        = text{"Domains", "Domänen"}
	textSettingsProtection     = text{"Protected accounts", "Geschützte Konten"}
	textSettingsPermissions    = text{"Permissions of the next authorisation", "Berechtigungen der nächsten Autorisierung"}
	textSettingsBreaker        = text{"Waves of large runs", "Wellen großer Läufe"}
	textWithoutIs              = text{"Without a setting: %s.", "Ohne Einstellung: %s."}
	textForeignDefault         = text{"as for the rest", "wie bei allem anderen"}
	textForeignShort           = text{"Changed at Microsoft", "Bei Microsoft geändert"}
	textForeignOf              = text{"What is done when somebody at Microsoft changes %s", "Was geschieht, wenn jemand bei Microsoft %s ändert"}
	textForeignGroups          = text{"Names of groups changed at Microsoft", "Bei Microsoft geänderte Gruppennamen"}
	textForeignGroupsMeans     = text{"Names and descriptions of exported groups.", "Namen und Beschreibungen exportierter Gruppen."}
	textForeignMembers         = text{"Members removed at Microsoft", "Bei Microsoft entfernte Mitglieder"}
	textForeignMembersMeans    = text{"Members of exported groups whom somebody there took out.", "Mitglieder exportierter Gruppen, die jemand dort herausgenommen hat."}
	textForeignManager         = text{"Managers changed at Microsoft", "Bei Microsoft geänderte Vorgesetzte"}
	textForeignManagerMeans    = text{"Where managers are written.", "Wo Vorgesetzte geschrieben werden."}
	textForeignLicences        = text{"Licences taken at Microsoft", "Bei Microsoft entzogene Lizenzen"}
	textForeignLicencesMeans   = text{"Of those that a rule here gives.", "Von denen, die eine Regel hier gibt."}
	textKeepBefore             = text{"Days that former values are kept", "Tage, die frühere Werte bleiben"}
	textKeepBeforeMeans        = text{"The values of an account from before its binding, after the binding has ended.", "Die Werte eines Kontos von vor seiner Bindung, nach deren Ende."}
	textPasswordHours          = text{"Hours that a temporary password can be shown", "Stunden, die ein vorläufiges Passwort gezeigt werden kann"}
	textPasswordHoursMeans     = text{"After the account was created.", "Nach dem Anlegen des Kontos."}
	textDefaultLocation        = text{"Country of accounts with a licence", "Land von Konten mit Lizenz"}
	textDefaultLocationMeans   = text{"A code of two letters, as CH: where neither the account nor the user has one.", "Ein Code aus zwei Buchstaben, etwa CH: wo weder das Konto noch der Benutzer eines hat."}
	textDomainMap              = text{"Domains here = domains there", "Domänen hier = Domänen dort"}
	textDomainMapMeans         = text{"One a line, as example.org = example.com: an address in the first gives an account in the second.", "Eine pro Zeile, etwa example.org = example.com: Eine Adresse in der ersten gibt ein Konto in der zweiten."}
	textDefaultDomain          = text{"Domain of all other addresses", "Domäne aller anderen Adressen"}
	textDefaultDomainMeans     = text{"Of addresses in a domain that is neither listed nor the tenant's. Empty: they get no account.", "Von Adressen einer Domäne, die weder aufgeführt ist noch dem Mandanten gehört. Leer: Sie bekommen kein Konto."}
	textProtectedList          = text{"Never written, adopted or imported", "Nie geschrieben, übernommen oder importiert"}
	textProtectedListMeans     = text{"IDs or sign-in names of accounts, one a line. Accounts with a directory role, and the one that authorised the connection, are protected by themselves.", "IDs oder Anmeldenamen von Konten, eines pro Zeile. Konten mit einer Verzeichnisrolle und das, mit dem autorisiert wurde, sind von selbst geschützt."}
	textImportAttributes       = text{"What an import brings", "Was ein Import bringt"}
	textImportAttributesMeans  = text{"Besides address, names and user name. What is exported and emptied, but not imported, is lost at the first sync.", "Außer Adresse, Namen und Benutzername. Was geschrieben und geleert, aber nicht importiert wird, geht beim ersten Abgleich verloren."}
	textAskGroups              = text{"Write groups", "Gruppen schreiben"}
	textAskGroupsMeans         = text{"Asks for Group.ReadWrite.All before a group is to be exported.", "Fragt nach Group.ReadWrite.All, noch bevor eine Gruppe exportiert werden soll."}
	textAskLicences            = text{"Give licences", "Lizenzen geben"}
	textAskLicencesMeans       = text{"Asks for LicenseAssignment.ReadWrite.All before a rule gives any.", "Fragt nach LicenseAssignment.ReadWrite.All, noch bevor eine Regel welche gibt."}
	textAskAuditLog            = text{"Read Microsoft's audit log", "Microsofts Überwachungsprotokoll lesen"}
	textAskAuditLogMeans       = text{"Asks for AuditLog.Read.All, to compare our journal with theirs.", "Fragt nach AuditLog.Read.All, um unser Journal mit dem dortigen zu vergleichen."}
	textAllowGoDaddy           = text{"Take a tenant that GoDaddy sold", "Einen von GoDaddy verkauften Mandanten annehmen"}
	textAllowGoDaddyMeans      = text{"Otherwise it is refused: as long as people sign in through GoDaddy, nobody else can keep accounts there.", "Sonst wird er abgelehnt: Solange sich Leute über GoDaddy anmelden, kann dort niemand sonst Konten pflegen."}
	textBreakerOver            = text{"Changes of a kind without waves", "Änderungen einer Art ohne Wellen"}
	textBreakerOverMeans       = text{"More than that go in waves, each looked at before the next.", "Mehr gehen in Wellen; jede wird vor der nächsten angesehen."}
	textBreakerFailures        = text{"Share of failures that stops a run", "Anteil Gescheiterter, ab dem angehalten wird"}
	textBreakerFailuresMeans   = text{"Of one wave, from 0 to 1.", "Einer Welle, von 0 bis 1."}
	textBreakerMismatches      = text{"Share of surprises that stops a run", "Anteil Abweichender, ab dem angehalten wird"}
	textBreakerMismatchesMeans = text{"Of accounts that read back otherwise than written, of one wave, from 0 to 1.", "Der Konten einer Welle, die anders zurückgelesen werden als geschrieben, von 0 bis 1."}
	textAlways                 = text{"always", "immer"}
	textFromCustom             = text{"From custom attribute", "Aus eigenem Attribut"}
	textFromCustomOf           = text{"Custom attribute that feeds %s", "Eigenes Attribut, das %s füllt"}
	textExtensions             = text{"Extension attributes 1 to 15", "Erweiterungsattribute 1 bis 15"}
	textOneRun                 = text{"In one run", "In einem Lauf"}
	textOneDay                 = text{"In 24 hours", "In 24 Stunden"}
	textOneWeek                = text{"In 7 days", "In 7 Tagen"}
	textOneGroup               = text{"Of one group:", "Einer Gruppe:"}
	textEachPart               = text{"And of each", "Und je"}
	textCountOfDay             = text{"Number in 24 hours: %s", "Zahl in 24 Stunden: %s"}
	textShareOfDay             = text{"Share in 24 hours: %s", "Anteil in 24 Stunden: %s"}
	textCountOfWeek            = text{"Number in 7 days: %s", "Zahl in 7 Tagen: %s"}
	textShareOfWeek            = text{"Share in 7 days: %s", "Anteil in 7 Tagen: %s"}
	textCountOfGroup           = text{"Number of one group: %s", "Zahl einer Gruppe: %s"}
	textShareOfGroup           = text{"Share of one group: %s", "Anteil einer Gruppe: %s"}
	textSettingsImport         = text{"Import", "Import"}
	textSettingsExport         = text{"Properties that are written", "Geschriebene Eigenschaften"}
	textSettingsGuard          = text{"The guard", "Der Wächter"}
	textModeMeans              = text{"Whether runs write by themselves, within the guard's limits, or each waits for an admin.", "Ob Läufe von selbst schreiben, in den Grenzen des Wächters, oder jeder auf Genehmigung wartet."}
	textInterval               = text{"Compared every", "Abgleich alle"}
	textIntervalMeans          = text{"How often the tenant is read for changes there. Edits here follow within seconds in any case.", "Wie oft der Mandant auf Änderungen gelesen wird. Änderungen hier folgen in jedem Fall binnen Sekunden."}
	text5m                     = text{"5 minutes", "5 Minuten"}
	text15m                    = text{"15 minutes", "15 Minuten"}
	text30m                    = text{"30 minutes", "30 Minuten"}
	text1h                     = text{"1 hour", "1 Stunde"}
	text4h                     = text{"4 hours", "4 Stunden"}
	text24h                    = text{"24 hours", "24 Stunden"}
	textFourEyesName           = text{"Four eyes", "Vier Augen"}
	textFourEyesMeans          = text{"Who asked for a thing cannot approve it.", "Wer etwas veranlasst hat, kann es nicht genehmigen."}
	textForeign                = text{"Values that somebody at Microsoft changed", "Werte, die jemand bei Microsoft geändert hat"}
	textForeignMeans           = text{"What is done about a value that only the tenant changed.", "Was mit einem Wert geschieht, den nur der Mandant geändert hat."}
	textForeignRevert          = text{"write ours again", "den eigenen wieder schreiben"}
	textForeignReport          = text{"report only", "nur melden"}
	textOnRelease              = text{"Released accounts", "Konten mit gelöster Bindung"}
	textOnReleaseMeans         = text{"What becomes of an account whose binding ends, unless the release says otherwise.", "Was aus einem Konto wird, dessen Bindung endet, sofern beim Lösen nichts anderes gesagt wird."}
	textKeep                   = text{"stay as they are", "bleiben, wie sie sind"}
	textRestoreValues          = text{"get their former values back", "bekommen frühere Werte zurück"}
	textOnDelete               = text{"Accounts of deleted users", "Konten gelöschter Benutzer"}
	textOnDeleteMeans          = text{"Microsoft keeps a deleted account for 30 days.", "Microsoft behält ein gelöschtes Konto 30 Tage lang."}
	textOnSoftDeleted          = text{"Bound accounts in Microsoft's recycle bin", "Gebundene Konten in Microsofts Papierkorb"}
	textOnSoftDeletedMeans     = text{"What is done when somebody there deleted one.", "Was geschieht, wenn jemand dort eines gelöscht hat."}
	textInitialAccess          = text{"Password of new accounts", "Passwort neuer Konten"}
	textInitialAccessMeans     = text{"A temporary password is shown once, to whoever may approve, and changed at the first sign-in.", "Ein vorläufiges Passwort wird einmal gezeigt, wem das Genehmigen erlaubt ist, und bei der ersten Anmeldung geändert."}
	textNoAccess               = text{"random, known to nobody", "zufällig, niemandem bekannt"}
	textTemporaryPassword      = text{"temporary, shown once", "vorläufig, einmal gezeigt"}
	textAdoptedName            = text{"Sign-in names of adopted accounts", "Anmeldenamen übernommener Konten"}
	textAdoptedNameMeans       = text{"Of accounts whose name is not the user's address.", "Von Konten, deren Name nicht die Adresse des Benutzers ist."}
	textFollowsEmail           = text{"follow the address", "folgen der Adresse"}
	textUpdateNickname         = text{"The mail alias follows the address", "Der Mail-Alias folgt der Adresse"}
	textUpdateNicknameMeans    = text{"Otherwise it is set at creation only.", "Sonst wird er nur beim Anlegen gesetzt."}
	textManagerExport          = text{"Write managers", "Vorgesetzte schreiben"}
	textManagerExportMeans     = text{"Where both are bound through this connection.", "Wo beide über diese Verbindung gebunden sind."}
	textManagerClearName       = text{"Clear managers", "Vorgesetzte leeren"}
	textManagerClearMeans      = text{"Where the user has none in the directory.", "Wo der Benutzer im Verzeichnis niemanden hat."}
	textProtectGroups          = text{"Protect by groups with roles", "Durch Gruppen mit Rollen schützen"}
	textProtectGroupsMeans     = text{"Who holds a role only through a group is protected too.", "Auch wer eine Rolle nur über eine Gruppe hat, ist geschützt."}
	textImportState            = text{"Imported users are", "Importierte Benutzer sind"}
	textImportStateMeans       = text{"A staged user cannot be bound.", "Ein vorgemerkter Benutzer kann nicht gebunden werden."}
	textImportPhotos           = text{"Read pictures", "Bilder lesen"}
	textImportPhotosMeans      = text{"At the import, and of each bound user every 30 days.", "Beim Import, und von jedem gebundenen Benutzer alle 30 Tage."}
	textExported               = text{"Written", "Geschrieben"}
	textEmptied                = text{"Emptied", "Geleert"}
	textExportThis             = text{"Write %s", "%s schreiben"}
	textEmptyThis              = text{"Empty %s where the user has none", "%s leeren, wo der Benutzer keinen Wert hat"}
	textSensitive              = text{"sensitive: a password is reset by it", "heikel: Darüber wird ein Passwort zurückgesetzt"}
	textExportMeans            = text{"Names, sign-in name and whether the account may sign in are always written. Emptied: where the user has no value; otherwise an empty value is left alone.", "Namen, Anmeldename und ob sich das Konto anmelden darf, werden immer geschrieben. Geleert: wo der Benutzer keinen Wert hat; sonst bleibt Leeres unberührt."}
	textGuardMeans             = text{"A run with more changes of an effect than the larger of number and share is held before its first write. Empty: as without a setting. A share is from 0 to 1, of the bound users.", "Ein Lauf mit mehr Änderungen einer Wirkung als dem größeren von Zahl und Anteil wird vor dem ersten Schreiben angehalten. Leer: wie ohne Einstellung. Ein Anteil ist 0 bis 1, der gebundenen Benutzer."}
	textCountLimit             = text{"number", "Zahl"}
	textShareLimit             = text{"share", "Anteil"}
	textWithout                = text{"Without a setting", "Ohne Einstellung"}
	textCountOf                = text{"Number: %s", "Zahl: %s"}
	textShareOf                = text{"Share: %s", "Anteil: %s"}
	textNoLimit                = text{"no limit", "keine Grenze"}
	textLimitDefault           = text{"%s, or %s %%", "%s oder %s %%"}
)

// Licences, protection.
var (
	textByOthers          = text{"Given by others", "Von anderen"}
	textByGroups          = text{"By groups", "Über Gruppen"}
	textOnBlocked         = text{"On blocked accounts", "Auf gesperrten Konten"}
	countOurs             = number{text{"%s of us", "%s von uns"}, text{"%s of us", "%s von uns"}}
	textNotCounted        = text{"Nobody had it counted yet who of the tenant has which product from where.", "Noch hat niemand zählen lassen, wer im Mandanten welches Produkt woher hat."}
	countAccountsCounted  = number{text{"Counted over %s account,", "Gezählt über %s Konto,"}, text{"Counted over %s accounts,", "Gezählt über %s Konten,"}}
	textMoreWaiting       = text{"More wait than were looked at: the numbers of who waits are too small.", "Es warten mehr, als angesehen wurden: Die Zahlen der Wartenden sind zu klein."}
	textWaitFor           = text{"Who waits for a seat of %s", "Wer auf einen Platz von %s wartet"}
	textTypeAccount       = text{"The last four characters of its ID", "Die letzten vier Zeichen seiner ID"}
	textTypedAccountWrong = text{"These are not the last four characters of the account's ID. Nothing was done.", "Das sind nicht die letzten vier Zeichen der ID des Kontos. Nichts wurde ausgeführt."}
	textTypeAccountHelp   = text{"Type the last four characters of the account's ID, to say that it is this one.", "Geben Sie die letzten vier Zeichen der ID des Kontos ein, um zu sagen, dass es dieses ist."}
	textLicences          = text{"Licences", "Lizenzen"}
	textProduct           = text{"Product", "Produkt"}
	textSeats             = text{"Seats", "Plätze"}
	textUsed              = text{"Used", "Belegt"}
	textFree              = text{"Free", "Frei"}
	textGivenByUs         = text{"Given by Bindery", "Von Bindery vergeben"}
	textWaiting           = text{"Waiting", "Wartend"}
	textNoProducts        = text{"The tenant has no products.", "Der Mandant hat keine Produkte."}
	textCountLicences     = text{"Count who has what", "Zählen, wer was hat"}
	textProtection        = text{"Protection", "Schutz"}
	textProtectionLead    = text{"Accounts that are never written to: whoever has a role, who authorised, and whom the settings name.", "Konten, die nie geändert werden: wer eine Rolle hat, wer autorisiert hat und wen die Einstellungen nennen."}
	textLift              = text{"Lift the protection", "Schutz aufheben"}
	textLiftDots          = text{"Lift…", "Aufheben…"}
	textLifted            = text{"lifted", "aufgehoben"}
	textLiftMeans         = text{"For this time the account is written to like any other. Everybody sees that it was lifted, by whom and why.", "In dieser Zeit wird das Konto wie jedes andere geändert. Alle sehen, dass, durch wen und warum der Schutz aufgehoben wurde."}
	textMinutesLabel      = text{"Minutes (at most 1,440)", "Minuten (höchstens 1.440)"}
	textReason            = text{"Reason", "Grund"}
	textReasonHelp        = text{"For whoever reads about it.", "Für alle, die davon lesen."}
	textLiftedNow         = text{"The protection is lifted for that time, or waits for somebody else by the rule of four eyes.", "Der Schutz ist für diese Zeit aufgehoben oder wartet nach dem Vier-Augen-Prinzip auf jemand anderes."}
	textProtectAgain      = text{"Protect again", "Wieder schützen"}
	textProtectedNow      = text{"The account is protected again.", "Das Konto ist wieder geschützt."}
)

// Why a user's account is as it is.
var (
	textExplain          = text{"Why?", "Warum?"}
	textExplainTitle     = text{"Why is it so? %s", "Warum ist es so? %s"}
	textStepInDirectory  = text{"In the directory", "Im Verzeichnis"}
	textStepAddress      = text{"Address becomes a sign-in name", "Adresse wird Anmeldename"}
	textStepAccount      = text{"Account at Microsoft", "Konto bei Microsoft"}
	textStepProtection   = text{"Protection", "Schutz"}
	textStepNext         = text{"What the next run would do", "Was der nächste Lauf täte"}
	textByDomainMap      = text{"by the setting of domains", "durch die Einstellung der Domänen"}
	textAccountBound     = text{"the bound account", "das gebundene Konto"}
	textAccountAdoptable = text{"is there, and is taken over", "ist da und wird übernommen"}
	textAccountAbsent    = text{"is not there yet", "ist noch nicht da"}
	textAccountMissing   = text{"the bound account is gone", "das gebundene Konto ist weg"}
	textAccountDeleted   = text{"deleted at Microsoft", "bei Microsoft gelöscht"}
	textAccountContested = text{"not to be taken without a decision", "nicht ohne Entscheidung zu übernehmen"}
	textMayBeOlder       = text{"What was read may be older than our last write.", "Was gelesen wurde, kann älter sein als unser letztes Schreiben."}
	textSignsInElsewhere = text{"The person signs in elsewhere (a guest, or an external account).", "Die Person meldet sich anderswo an (ein Gast oder externes Konto)."}
	textMatchedBy        = text{"matched by", "zugeordnet durch"}
	textSyncedThere      = text{"It is synced from on-premises Active Directory, and cannot be written.", "Es wird aus einem lokalen Active Directory abgeglichen und kann nicht geschrieben werden."}
	textNotProtected     = text{"The account is not protected.", "Das Konto ist nicht geschützt."}
	textWanted           = text{"Directory wants", "Verzeichnis will"}
	textAgreed           = text{"Last agreed", "Zuletzt vereinbart"}
	textAtMicrosoft      = text{"At Microsoft", "Bei Microsoft"}
	textBecomes          = text{"Becomes of it", "Was daraus wird"}
	textValues           = text{"Values", "Werte"}
	textOutcomeEqual     = text{"equal", "gleich"}
	textOutcomeWrite     = text{"is written", "wird geschrieben"}
	textOutcomeReport    = text{"is reported", "wird gemeldet"}
	textOutcomeKept      = text{"Microsoft keeps another", "Microsoft behält anderes"}
	textOutcomeLeft      = text{"is left", "bleibt"}
	textWouldBeHeld      = text{"A run of it would be held:", "Ein Lauf damit würde warten:"}
)

// What waits for other eyes; groups of the tenant; passwords; moves.
var (
	textProposal            = text{"Waits for somebody else to approve it", "Wartet auf die Genehmigung von jemand anderem"}
	textLoosens             = text{"Settings that would become looser:", "Einstellungen, die gelockert würden:"}
	textWouldLift           = text{"The protection of an account would be lifted for %s:", "Der Schutz eines Kontos würde aufgehoben für %s:"}
	textIsNow               = text{"Is now", "Ist jetzt"}
	textWouldBe             = text{"Would be", "Würde sein"}
	textApproveProposalDots = text{"Approve…", "Genehmigen…"}
	textApproveProposal     = text{"Approve", "Genehmigen"}
	textDeclineProposal     = text{"Decline", "Ablehnen"}
	textProposalStale       = text{"The settings have changed since: it must be proposed again.", "Die Einstellungen haben sich seitdem geändert: Es muss erneut vorgeschlagen werden."}
	textFourEyesOwn         = text{"You proposed it: somebody else approves it. You may decline it.", "Sie haben es vorgeschlagen: Jemand anderes genehmigt es. Ablehnen dürfen Sie."}
	textProposalApproved    = text{"Approved; it is in force.", "Genehmigt; es gilt."}
	textProposalDeclined    = text{"Declined; nothing was changed.", "Abgelehnt; nichts wurde geändert."}
	textTenantGroups        = text{"Groups of the tenant", "Gruppen des Mandanten"}
	textTenantGroupsLead    = text{"Read now. An export takes one over by its ID; none is ever taken by its name.", "Gerade gelesen. Ein Export übernimmt eine über ihre ID; keine wird je wegen ihres Namens genommen."}
	textNameBegins          = text{"Name begins with", "Name beginnt mit"}
	textNoTenantGroups      = text{"The tenant has no group like that.", "Der Mandant hat keine solche Gruppe."}
	textKind                = text{"Kind", "Art"}
	textNeverWritten        = text{"never written", "wird nie geschrieben"}
	textExportedHere        = text{"exported here", "hier exportiert"}
	textAdoptable           = text{"may be taken over", "kann übernommen werden"}
	textAdoptGroup          = text{"Take over the tenant's group (its ID; optional)", "Gruppe des Mandanten übernehmen (ihre ID; optional)"}
	textAdoptGroupHelp      = text{"Empty, a new one is made. Needs bindery/approve as well.", "Leer wird eine neue angelegt. Braucht auch bindery/approve."}
	textPasswordDots        = text{"Temporary password…", "Vorläufiges Passwort…"}
	textPasswordTitle       = text{"Temporary password of %s", "Vorläufiges Passwort von %s"}
	textPasswordMeans       = text{"It is shown once, to you, and that is on record. The person changes it at the first sign-in.", "Es wird einmal gezeigt, Ihnen, und das wird festgehalten. Die Person ändert es bei der ersten Anmeldung."}
	textShowPassword        = text{"Show it once", "Einmal zeigen"}
	textPasswordShown       = text{"The temporary password", "Das vorläufige Passwort"}
	textPasswordOnce        = text{"It is gone when you leave this page.", "Es ist weg, wenn Sie diese Seite verlassen."}
	textCopy                = text{"Copy", "Kopieren"}
	textMoveDots            = text{"Move…", "Umziehen…"}
	textMoveTitle           = text{"Move %s", "%s umziehen"}
	textMoveMeans           = text{"From one connection to another, in one step: never in two tenants, never in none.", "Von einer Verbindung zu einer anderen, in einem Schritt: nie in zwei Mandanten, nie in keinem."}
	textMoveTo              = text{"To the connection", "Zur Verbindung"}
	textNewEmail            = text{"New e-mail address (optional)", "Neue E-Mail-Adresse (optional)"}
	textNewEmailHelp        = text{"Set in the same step, where the other tenant has another domain.", "Wird im selben Schritt gesetzt, wo der andere Mandant eine andere Domäne hat."}
	textOldAccount          = text{"The old account", "Das alte Konto"}
	textNewAccount          = text{"The new account", "Das neue Konto"}
	textMoveNow             = text{"Move the user", "Benutzer umziehen"}
	textMoved               = text{"The user moves. Where the old account is written first, the new binding follows it.", "Der Benutzer zieht um. Wo das alte Konto zuerst geschrieben wird, folgt die neue Bindung danach."}
)

// Files, and the comparison with Microsoft's log.
var (
	textLoadFile       = text{"Load a file", "Datei laden"}
	textLoadLead       = text{"CSV, an Excel workbook or JSON lines. Separator, encoding and the names of columns are recognised, also those of exports of other systems.", "CSV, eine Excel-Mappe oder JSON-Zeilen. Trennzeichen, Kodierung und Spaltennamen werden erkannt, auch die aus Exporten anderer Systeme."}
	textLoadLimits     = text{"At most 4.2 MB as it is sent. A larger file is packed for it (gzip; by hand where the browser runs no script): 4.2 MB are some 100,000 users then. Good lines are kept, bad ones are told with their number.", "Höchstens 4,2 MB, so wie gesendet wird. Eine größere Datei wird dafür gepackt (gzip; von Hand, wo der Browser kein Skript ausführt): 4,2 MB sind dann etwa 100.000 Benutzer. Gute Zeilen gelten, schlechte werden mit ihrer Nummer genannt."}
	textTooLargePacked = text{"Also packed this file is larger than 4.2 MB. Split it, with the header row in each part, or send it by POST /v1/uploads.", "Auch gepackt ist diese Datei größer als 4,2 MB. Teilen Sie sie, mit der Kopfzeile in jedem Teil, oder senden Sie sie über POST /v1/uploads."}
	textNotUnpacked    = text{"The file is packed by gzip and damaged: it cannot be unpacked. Nothing was loaded.", "Die Datei ist mit gzip gepackt und beschädigt: Sie lässt sich nicht auspacken. Nichts wurde geladen."}
	textHowToRead      = text{"How it is read", "Wie sie gelesen wird"}
	textIgnoreUnknown  = text{"Leave out columns that nobody knows, instead of refusing the file", "Unbekannte Spalten weglassen, statt die Datei abzuweisen"}
	textApplyStatus    = text{"Let another system's column of who may sign in suspend and activate users who are here", "Die Spalte eines anderen Systems, wer sich anmelden darf, auch vorhandene Benutzer deaktivieren und aktivieren lassen"}
	textSheet          = text{"Sheet of a workbook", "Blatt einer Mappe"}
	textFileExample    = text{"A file that can be loaded", "Eine Datei, die sich laden lässt"}
	textFileKey        = text{"A user is found by the e-mail address. An empty cell leaves the value as it is.", "Ein Benutzer wird an der E-Mail-Adresse erkannt. Eine leere Zelle lässt den Wert, wie er ist."}
	textFileRead       = text{"How the file is read", "Wie die Datei gelesen wird"}
	textFormat         = text{"Format", "Format"}
	textEncoding       = text{"Encoding", "Kodierung"}
	textSeparator      = text{"Separator", "Trennzeichen"}
	textTab            = text{"tab", "Tabulator"}
	textExportOf       = text{"Export of", "Export von"}
	textHeaderLine     = text{"Header row", "Kopfzeile"}
	textColumn         = text{"Column", "Spalte"}
	textGives          = text{"Gives", "Ergibt"}
	textNotLoaded      = text{"not loaded", "nicht geladen"}
	countColumnsLost   = number{text{"%s column is not loaded.", "%s Spalte wird nicht geladen."}, text{"%s columns are not loaded.", "%s Spalten werden nicht geladen."}}
	textCheckedOnly    = text{"Only checked: nothing has been loaded yet", "Nur geprüft: Noch ist nichts geladen"}
	textCheckedMeans   = text{"The counts are what a load would do. The file is kept for a day, and can be loaded without being sent again.", "Die Zahlen sind, was ein Laden täte. Die Datei wird einen Tag aufbewahrt und lässt sich laden, ohne sie erneut zu senden."}
	textLoadThis       = text{"Load it", "Jetzt laden"}
	textChooseOther    = text{"Choose another file", "Andere Datei wählen"}
	textRefusedFile    = text{"Refused lines as CSV", "Abgewiesene Zeilen als CSV"}
	textRefusedList    = text{"What was refused, as CSV", "Was abgewiesen wurde, als CSV"}
	textRefusedThen    = text{"Mend what is said of each, and ask for it once more: what is done already stays as it is.", "Beheben Sie, was jeweils steht, und veranlassen Sie es noch einmal: Was schon getan ist, bleibt, wie es ist."}
	textRefusedMend    = text{"Mend these lines in your file and send it again: what is loaded already stays as it is.", "Bessern Sie diese Zeilen in Ihrer Datei aus und senden Sie sie erneut: Was schon geladen ist, bleibt, wie es ist."}
	countUnlisted      = number{text{"%s more was refused and is not listed.", "%s weitere wurde abgewiesen und steht nicht in der Liste."}, text{"%s more were refused and are not listed.", "%s weitere wurden abgewiesen und stehen nicht in der Liste."}}
	textLoadWhat       = text{"It has", "Sie enthält"}
	textFile           = text{"File", "Datei"}
	textCheckOnly      = text{"Check only", "Nur prüfen"}
	textLoadNow        = text{"Load it", "Laden"}
	textChooseFile     = text{"Choose a file.", "Wählen Sie eine Datei."}
	textFileTooLarge   = text{"What was sent is too large for a form. Nothing was loaded. Pack the file by gzip, or send it by POST /v1/uploads.", "Das Gesendete ist für ein Formular zu groß. Nichts wurde geladen. Packen Sie die Datei mit gzip, oder senden Sie sie über POST /v1/uploads."}
	textAudit          = text{"Audit", "Protokollvergleich"}
	textAuditLead      = text{"What Bindery did, beside what Microsoft's own log says of the account that authorised it: of the last seven days.", "Was Bindery tat, neben dem, was Microsofts eigenes Protokoll über das autorisierende Konto sagt: der letzten sieben Tage."}
	textSeenBy         = text{"Seen by", "Gesehen von"}
	textOurLog         = text{"Bindery", "Bindery"}
	textTheirLog       = text{"Microsoft's log", "Protokoll von Microsoft"}
	textMatchBoth      = text{"both", "beiden"}
	textMatchPossibly  = text{"both, possibly", "beiden, womöglich"}
	textMatchOurs      = text{"only us", "nur uns"}
	textMatchTheirs    = text{"only Microsoft", "nur Microsoft"}
	textMatchUnchecked = text{"not checked", "nicht geprüft"}
	textNoTheirLog     = text{"Microsoft's log could not be read", "Das Protokoll von Microsoft konnte nicht gelesen werden"}
)

// What feeds the directory.
var (
	textSources            = text{"Sources", "Quellen"}
	textSourcesLead        = text{"What feeds the directory. What a source owns is edited there; all else by hand.", "Was das Verzeichnis speist. Was einer Quelle gehört, wird dort bearbeitet, alles andere von Hand."}
	textProviders          = text{"Identity providers (SCIM)", "Identitätsanbieter (SCIM)"}
	textNoProviders        = text{"No identity provider pushes by SCIM yet. Okta, Entra ID, OneLogin, JumpCloud, Rippling, authentik and Ping do, and whatever else speaks SCIM 2.0: add it as a source.", "Noch überträgt kein Identitätsanbieter per SCIM. Okta, Entra ID, OneLogin, JumpCloud, Rippling, authentik und Ping können es, und was sonst SCIM 2.0 spricht: Fügen Sie ihn als Quelle hinzu."}
	textSourceHand         = text{"By hand", "Von Hand"}
	textSourceHandMeans    = text{"Edits in this console, and by tokens of the API that name no source.", "Änderungen in dieser Konsole und durch Token der API, die keine Quelle nennen."}
	textNoEdits            = text{"No edit of a user or a group by hand is on record.", "Keine Änderung eines Benutzers oder einer Gruppe von Hand ist verzeichnet."}
	textOnlyByHand         = text{"Edits by hand only", "Nur Änderungen von Hand"}
	textLastEdit           = text{"Last edit by hand", "Letzte Änderung von Hand"}
	textSourceFiles        = text{"Files", "Dateien"}
	textNoLoads            = text{"No file was loaded lately.", "In letzter Zeit wurde keine Datei geladen."}
	textSourceImports      = text{"Imports from tenants", "Importe aus Mandanten"}
	textSourceImportsMeans = text{"Accounts and groups of a connected tenant become users and groups here.", "Konten und Gruppen eines verbundenen Mandanten werden hier Benutzer und Gruppen."}
	textNoImports          = text{"Nothing was imported lately.", "In letzter Zeit wurde nichts importiert."}
	textSourceADMeans      = text{"A sync from Active Directory writes by the API, with a token of its own (bindery/source.ad).", "Ein Abgleich aus Active Directory schreibt über die API, mit einem eigenen Token (bindery/source.ad)."}
	textNoADUsers          = text{"Nobody in the directory comes from Active Directory.", "Niemand im Verzeichnis kommt aus Active Directory."}
	textBringsUsers        = text{"feeds the directory", "speist das Verzeichnis"}
	textLookAtThem         = text{"Look at the users it brings", "Die Benutzer ansehen, die sie bringt"}
	textLookAtSCIM         = text{"Look at the users they bring", "Die Benutzer ansehen, die sie bringen"}
)

// The identity providers that push by SCIM.
var (
	textAddSource          = text{"Add a source", "Quelle hinzufügen"}
	textAddSourceLead      = text{"An identity provider that speaks SCIM 2.0 pushes people and groups into the directory. Adding it writes nothing; next comes its token, and what to paste where.", "Ein Identitätsanbieter, der SCIM 2.0 spricht, überträgt Personen und Gruppen ins Verzeichnis. Das Hinzufügen schreibt nichts; danach kommen sein Token und was wo einzusetzen ist."}
	textNewSourceNameHelp  = text{"As people here call it. Empty: the provider's name.", "Wie sie hier genannt wird. Leer: der Name des Anbieters."}
	textSourceNameHelp     = text{"As people here call it.", "Wie sie hier genannt wird."}
	textProvider           = text{"Identity provider", "Identitätsanbieter"}
	textOtherProvider      = text{"another one", "ein anderer"}
	textTolerant           = text{"tolerant", "tolerant"}
	textStrict             = text{"strict", "streng"}
	textTolerantMeans      = text{"Tolerant: a request is taken for what it means, and the log tells how it was bent. Fits all of these providers.", "Tolerant: Eine Anfrage wird genommen, wie sie gemeint ist, und das Protokoll sagt, was zurechtgebogen wurde. Passt zu allen diesen Anbietern."}
	textStrictMeans        = text{"Strict: what the RFCs of SCIM refuse is refused.", "Streng: Was die RFCs von SCIM abweisen, wird abgewiesen."}
	textSees               = text{"Sees", "Sieht"}
	textSeesAll            = text{"all users and groups", "alle Benutzer und Gruppen"}
	textSeesOwn            = text{"only what it has pushed", "nur, was sie selbst übertragen hat"}
	textSeesAllMeans       = text{"All users and groups: whom it finds it may take over.", "Alle Benutzer und Gruppen: Wen sie findet, den darf sie übernehmen."}
	textSeesOwnMeans       = text{"Only what it has pushed itself: whoever was there before stays out of its reach.", "Nur, was sie selbst übertragen hat: Wer vorher da war, bleibt außer Reichweite."}
	textSourceMade         = text{"Added. It has no token yet: nobody can push.", "Hinzugefügt. Noch hat sie kein Token: Niemand kann übertragen."}
	textSourceSaved        = text{"Saved. It holds from the next request on.", "Gespeichert. Es gilt ab der nächsten Anfrage."}
	textSourceTabs         = text{"Parts of the source", "Teile der Quelle"}
	textRequests           = text{"Requests", "Anfragen"}
	textBelongsTo          = text{"Belongs to", "Gehört"}
	textPhones             = text{"Phones", "Telefone"}
	textWorkAddress        = text{"Work address", "Arbeitsadresse"}
	textCustomAttributes   = text{"Custom attributes", "Eigene Attribute"}
	textSetUp              = text{"Set-up", "Einrichtung"}
	textDeleteSource       = text{"Delete the source", "Quelle löschen"}
	textTakesRequests      = text{"takes requests", "nimmt Anfragen an"}
	textTakesRequestsMeans = text{"What this source pushes is in the directory at once; accounts follow by runs, which the guard watches.", "Was diese Quelle überträgt, steht sofort im Verzeichnis; Konten folgen durch Läufe, über die der Wächter wacht."}
	textSourcePausedMeans  = text{"Every request is answered with 503 and changes nothing. The provider tries again later.", "Jede Anfrage wird mit 503 beantwortet und ändert nichts. Der Anbieter versucht es später wieder."}
	textPauseSource        = text{"Pause the source", "Quelle pausieren"}
	textSourcePausedNow    = text{"Paused: its requests change nothing until it is resumed.", "Pausiert: Bis zum Fortsetzen ändern ihre Anfragen nichts."}
	textSourceResumedNow   = text{"Resumed: its requests are taken again.", "Fortgesetzt: Ihre Anfragen werden wieder angenommen."}
	textBaseURL            = text{"Base URL", "Basisadresse"}
	textJWTURL             = text{"Base URL by JWT", "Basisadresse mit JWT"}
	textLastRequest        = text{"Last request", "Letzte Anfrage"}
	textNoRequestLately    = text{"none in seven days", "keine in sieben Tagen"}
	textNoRequestYet       = text{"none yet", "noch keine"}
	textSourceLately       = text{"What it did to people lately", "Was sie zuletzt mit Personen gemacht hat"}
	textSourceHolds        = text{"A run is held because of it. Nothing that it holds is written until somebody decides. What came before, within the guard's limits, was written, and the directory has all that was pushed: taking back and the run after it undo both.", "Ein Lauf wartet ihretwegen auf Genehmigung. Nichts davon wird geschrieben, bis jemand entscheidet. Was davor kam, innerhalb der Grenzen des Wächters, wurde geschrieben, und im Verzeichnis steht alles Übertragene: Zurücknehmen und der Lauf danach machen beides rückgängig."}
	textSourceHoldsNone    = text{"No run is held because of it. What the runs have written follows the directory; a run of each connection says what.", "Kein Lauf wartet ihretwegen. Was die Läufe geschrieben haben, folgt dem Verzeichnis; was, sagt der Lauf jeder Verbindung."}
	textBlockedSince       = text{"Accounts blocked since", "Seither gesperrte Konten"}
	textIfWrongScope       = text{"If that is a mistake at the provider, as a wrong scope: pause the source, take back what it changed, and decline the run.", "Ist das ein Versehen beim Anbieter, etwa ein falscher Umfang: die Quelle pausieren, zurücknehmen, was sie änderte, und den Lauf ablehnen."}
	textHeldRunOf          = text{"Held run of %s", "Wartender Lauf von %s"}
	textWrongToken         = text{"Somebody came without a valid token, last", "Jemand kam ohne gültiges Token, zuletzt"}
	textWrongTokenMore     = text{"If that was the provider: its token is mistyped, ended, or another source's. Issue another one and paste it over. If it was not, there is nothing to do.", "War es der Anbieter: Sein Token ist vertippt, abgelaufen oder das einer anderen Quelle. Stellen Sie ein anderes aus und setzen Sie es dort ein. War er es nicht, ist nichts zu tun."}
	countSuspendedLately   = number{text{"%s user suspended", "%s Benutzer deaktiviert"}, text{"%s users suspended", "%s Benutzer deaktiviert"}}
	countDeletedLately     = number{text{"%s user deleted", "%s Benutzer gelöscht"}, text{"%s users deleted", "%s Benutzer gelöscht"}}
	textByInLastDay        = text{"by %s in the last 24 hours", "durch %s in den letzten 24 Stunden"}
	textPushedBy           = text{"Pushed by", "Übertragen von"}
	textHeldPushedBy       = text{"The changes come from what an identity provider has pushed by SCIM:", "Die Änderungen kommen aus dem, was ein Identitätsanbieter per SCIM übertragen hat:"}
	textItsRequests        = text{"Look at its requests", "Ihre Anfragen ansehen"}
)

// The tokens of a source.
var (
	textTokens         = text{"Tokens", "Token"}
	textToken          = text{"Token", "Token"}
	textNoTokens       = text{"It has no token: nobody can push.", "Sie hat kein Token: Niemand kann übertragen."}
	textNoTokenAlive   = text{"no token", "kein Token"}
	textTokenAlive     = text{"valid", "gültig"}
	textTokenEndsSoon  = text{"ends soon", "endet bald"}
	textTokenEnded     = text{"ended", "abgelaufen"}
	textRevoked        = text{"revoked", "widerrufen"}
	textTokenEnds      = text{"Ends", "Endet"}
	textWithinHour     = text{"within the last hour", "innerhalb der letzten Stunde"}
	textLastUsed       = text{"Last used", "Zuletzt benutzt"}
	textRevokeDots     = text{"Revoke…", "Widerrufen…"}
	textIssueToken     = text{"Issue a token", "Token ausstellen"}
	textMakeToken      = text{"Make the token and show it", "Token erstellen und zeigen"}
	textTokenLead      = text{"The token lets the identity provider in. It is shown once, on the next page: paste it over at once. What is kept here is a hash, from which nobody gets it back.", "Mit dem Token wird der Identitätsanbieter eingelassen. Es wird einmal gezeigt, auf der nächsten Seite: Setzen Sie es dort gleich ein. Aufbewahrt wird hier ein Hash, aus dem es niemand zurückgewinnt."}
	textTokenRotate    = text{"The tokens that are there stay valid. Revoke the old one once the provider uses the new one.", "Die vorhandenen Token bleiben gültig. Widerrufen Sie das alte, sobald der Anbieter das neue benutzt."}
	textTokenLives     = text{"Valid for", "Gültig für"}
	textTokenShown     = text{"The token", "Das Token"}
	textTokenOnce      = text{"It is gone when you leave this page or load it again. Valid", "Es ist weg, wenn Sie diese Seite verlassen oder neu laden. Gültig"}
	textJWT            = text{"by JWT", "mit JWT"}
	textByJWT          = text{"The JWT that the sign-in service gives to the app of this source, by client credentials with the scope bindery/source.scim. Such a source needs no other token.", "Das JWT, das der Anmeldedienst der Anwendung dieser Quelle gibt, über Client Credentials mit der Berechtigung bindery/source.scim. Ein anderes Token braucht eine solche Quelle nicht."}
	textTokenGone      = text{"The token, which was shown once.", "Das Token, das einmal gezeigt wurde."}
	textTokenMadeSince = text{"A token was made since this form was opened, so none was made now. A token is shown once: if you have lost it, issue another one and revoke it.", "Seit dieses Formular geöffnet wurde, ist ein Token entstanden; jetzt wurde keines erstellt. Ein Token wird einmal gezeigt: Ist es verloren, stellen Sie ein anderes aus und widerrufen Sie es."}
	textRevokeToken    = text{"Revoke the token", "Token widerrufen"}
	textRevokeLead     = text{"From then on it opens nothing: whoever uses it is answered with 401. That cannot be taken back.", "Ab dann öffnet es nichts mehr: Wer es benutzt, bekommt 401. Das lässt sich nicht zurücknehmen."}
	textRevokeLast     = text{"It is the last one that is valid: the source can push nothing more until it has another.", "Es ist das letzte gültige: Die Quelle kann nichts mehr übertragen, bis sie ein anderes hat."}
	textTokenRevoked   = text{"Revoked: the token opens nothing any more.", "Widerrufen: Das Token öffnet nichts mehr."}
	countTokensAlive   = number{text{"%s valid", "%s gültig"}, text{"%s valid", "%s gültig"}}
)

// What a source asked for.
var (
	textRequestsLead      = text{"What was asked for in the last seven days, the newest first, what it was answered, and what came of it. Values are not kept, but for the name that a refused request sent.", "Was in den letzten sieben Tagen angefragt wurde, das Neueste zuerst, was geantwortet wurde und was daraus wurde. Werte werden nicht aufbewahrt, außer dem Namen, den eine abgewiesene Anfrage sendete."}
	textNoRequests        = text{"Nothing was asked for in the last seven days.", "In den letzten sieben Tagen wurde nichts angefragt."}
	textNoneLookedAt      = text{"None is like that among those that were looked at.", "Unter den bisher durchgesehenen ist keine solche."}
	textNoneOfSort        = text{"None of the last seven days is like that.", "Keine der letzten sieben Tage ist so."}
	textAllRequests       = text{"All requests", "Alle Anfragen"}
	textOnlyAll           = text{"All", "Alle"}
	textOnlyRefused       = text{"Refused", "Abgewiesen"}
	textOnlyNoted         = text{"Bent or not taken", "Zurechtgebogen oder nicht genommen"}
	textOnlyChanged       = text{"Changed something", "Mit Änderung"}
	textRequest           = text{"Request", "Anfrage"}
	textAnswer            = text{"Answer", "Antwort"}
	textCameOfIt          = text{"What came of it", "Was daraus wurde"}
	textCameUserDeleted   = text{"User deleted", "Benutzer gelöscht"}
	textCameGroupDeleted  = text{"Group deleted", "Gruppe gelöscht"}
	textCameUserThere     = text{"User made or brought back", "Benutzer angelegt oder zurückgeholt"}
	textCameGroupThere    = text{"Group made or brought back", "Gruppe angelegt oder zurückgeholt"}
	textCameSuspended     = text{"User suspended", "Benutzer deaktiviert"}
	textCameActivated     = text{"User activated", "Benutzer aktiviert"}
	textItSent            = text{"It sent", "Gesendet:"}
	textHolder            = text{"The value belongs to", "Der Wert gehört"}
	textItChanged         = text{"Changed:", "Geändert:"}
	textFilteredBy        = text{"filtered by", "gefiltert nach"}
	textAnsweredWith      = text{"answered with", "beantwortet mit"}
	textReceived          = text{"Received", "Empfangen:"}
	textRequestsArrive    = text{"Requests arrive", "Anfragen kommen an"}
	textRequestsRefused   = text{"Requests arrive, and are refused", "Anfragen kommen an und werden abgewiesen"}
	textWaitsForFirst     = text{"Waiting for the first request …", "Warten auf die erste Anfrage …"}
	textWaitsForFirstMore = text{"It is told here once it comes. The provider's own test of the connection makes one.", "Sobald sie kommt, steht sie hier. Der Verbindungstest des Anbieters löst eine aus."}
	countMilliseconds     = number{text{"%s ms", "%s ms"}, text{"%s ms", "%s ms"}}
	countRequestsAll      = number{text{"%s request", "%s Anfrage"}, text{"%s requests", "%s Anfragen"}}
	countRequestsOf       = number{text{"The last %s request", "Die letzte %s Anfrage"}, text{"The last %s requests", "Die letzten %s Anfragen"}}
	countRequestsRefused  = number{text{"%s refused", "%s abgewiesen"}, text{"%s refused", "%s abgewiesen"}}
	countRequestsNoted    = number{text{"%s bent or not taken", "%s zurechtgebogen oder nicht genommen"}, text{"%s bent or not taken", "%s zurechtgebogen oder nicht genommen"}}
	countRequestsChanged  = number{text{"%s changed something", "%s mit Änderung"}, text{"%s changed something", "%s mit Änderung"}}
)

// The settings of a source, and its end.
var (
	textMapping            = text{"Attributes of its own", "Eigene Attribute"}
	textUsageLocation      = text{"Usage location", "Nutzungsstandort"}
	textCountryAsUsage     = text{"Take the country of the work address where the source sends no usage location, if it is a code of two letters.", "Das Land der Arbeitsadresse nehmen, wo die Quelle keinen Nutzungsstandort sendet, wenn es ein Kürzel aus zwei Buchstaben ist."}
	textSilentDays         = text{"Tell of silence after (days)", "Stille melden nach (Tagen)"}
	textSilentDaysHelp     = text{"After so many days without a request you are told, a whole number, 90 at most. 0 for a source that sends only when somebody joins, changes or leaves, as Okta, OneLogin and Rippling.", "Nach so vielen Tagen ohne Anfrage wird es Ihnen gemeldet, eine ganze Zahl, höchstens 90. 0 für eine Quelle, die nur sendet, wenn jemand kommt, sich ändert oder geht, wie Okta, OneLogin und Rippling."}
	textOAuthClientID      = text{"App of a JWT (client_id)", "Anwendung eines JWT (client_id)"}
	textOAuthClientIDHelp  = text{"Only for a source that gets its tokens from the sign-in service by client credentials: the app whose tokens push as this source. Empty for none.", "Nur für eine Quelle, die ihre Token per Client Credentials vom Anmeldedienst holt: die Anwendung, deren Token als diese Quelle übertragen. Leer für keine."}
	textMappingMeans       = text{"An attribute of an extension that the source sends, and the custom attribute that it feeds. What SCIM itself names is mapped already. An emptied row is taken out.", "Ein Attribut einer Erweiterung, das die Quelle sendet, und das eigene Attribut, das es speist. Was SCIM selbst benennt, ist schon zugeordnet. Eine geleerte Zeile entfällt."}
	textMapSchema          = text{"Schema (URN)", "Schema (URN)"}
	textMapAttribute       = text{"Attribute", "Attribut"}
	textMapPath            = text{"Goes to (customAttributes.…)", "Geht nach (customAttributes.…)"}
	textDeleteSourceLead   = text{"The source can push nothing more. There is no way to bring it back.", "Die Quelle kann nichts mehr übertragen. Sie lässt sich nicht wiederherstellen."}
	textDeleteSourceTokens = text{"Its tokens end at once.", "Ihre Token enden sofort."}
	textDeleteSourceUsers  = text{"The users and groups that it has pushed stay as they are, and what they are bound to stays bound.", "Die Benutzer und Gruppen, die sie übertragen hat, bleiben, wie sie sind, und was gebunden ist, bleibt gebunden."}
	textDeleteSourceOwned  = text{"What it owns can then be edited by hand and by other sources, as soon as no other source pushes the same person or group. Lines of a loaded file are refused as before.", "Was ihr gehört, lässt sich dann von Hand und durch andere Quellen bearbeiten, sobald keine andere Quelle dieselbe Person oder Gruppe überträgt. Zeilen einer geladenen Datei werden weiter abgewiesen."}
	textDeleteSourceBack   = text{"If something that it has changed is to be taken back, do that first: once it is deleted, only POST /v1/scim-clients/%s/take-back does it, and this page is gone.", "Soll etwas zurückgenommen werden, was sie geändert hat, tun Sie das zuerst: Ist sie gelöscht, geht es nur noch durch POST /v1/scim-clients/%s/take-back, und diese Seite gibt es nicht mehr."}
	textDeleteSourceAgain  = text{"A new source has another address, and knows nothing of what this one has pushed. To stop it for a while, pause it.", "Eine neue Quelle hat eine andere Adresse und weiß nichts von dem, was diese übertragen hat. Um sie eine Weile anzuhalten, pausieren Sie sie."}
	textSourceDeleted      = text{"Deleted. Its tokens open nothing any more. It had the ID %s, by which the API still takes back what it has changed.", "Gelöscht. Ihre Token öffnen nichts mehr. Sie hatte die ID %s, unter der die API noch zurücknimmt, was sie geändert hat."}
)

// Taking back what a source has changed.
var (
	textTakeBackTab        = text{"Take back", "Zurücknehmen"}
	textTakeBackDots       = text{"Take back what it changed…", "Zurücknehmen, was sie änderte…"}
	textTakeBackLead       = text{"What this source has changed in the directory since a time is put back, as one act. First it is counted: nothing is written by that.", "Was diese Quelle seit einem Zeitpunkt im Verzeichnis geändert hat, wird zurückgesetzt, in einem Zug. Zuerst wird gezählt: Dabei wird nichts geschrieben."}
	textTakeBackFollows    = text{"What somebody else has changed since stays. Who was suspended is active again, whom it has made is deleted and can be restored for 30 days. Accounts follow by the next runs, which the guard watches.", "Was seither jemand anderes geändert hat, bleibt. Wer deaktiviert wurde, ist wieder aktiv; wen sie angelegt hat, wird gelöscht und lässt sich 30 Tage wiederherstellen. Konten folgen mit den nächsten Läufen, über die der Wächter wacht."}
	textTakeBackSince      = text{"Changes since", "Änderungen seit"}
	textTakeBackSinceUTC   = text{"Changes since (UTC)", "Änderungen seit (UTC)"}
	textTakeBackCount      = text{"Count what would be taken back", "Zählen, was zurückgenommen würde"}
	textTakeBackCounted    = text{"Only counted: nothing has been taken back yet.", "Nur gezählt: Noch ist nichts zurückgenommen."}
	textTakeBackOther      = text{"Choose another time", "Anderen Zeitpunkt wählen"}
	textTakeBackPauses     = text{"The source is paused with it, since it would push the same again. It stays so until somebody resumes it.", "Die Quelle wird dabei pausiert, sonst übertrüge sie dasselbe wieder. Sie bleibt es, bis jemand sie fortsetzt."}
	textTakeBackStarted    = text{"It is being taken back. The source is paused.", "Es wird zurückgenommen. Die Quelle ist pausiert."}
	textNothingToTakeBack  = text{"There is nothing to take back since then.", "Seitdem gibt es nichts zurückzunehmen."}
	textNoSince            = text{"The time since when cannot be read. Nothing was done.", "Der Zeitpunkt ist nicht lesbar. Nichts wurde ausgeführt."}
	countStays             = number{text{"%s stays as it is, or a part of it", "%s bleibt, ganz oder zum Teil"}, text{"%s stay as they are, or a part of each", "%s bleiben, ganz oder zum Teil"}}
	countStaysUnlisted     = number{text{"%s more stays and is not listed.", "%s weiteres bleibt und steht nicht in der Liste."}, text{"%s more stay and are not listed.", "%s weitere bleiben und stehen nicht in der Liste."}}
	textStaysFile          = text{"What stays, as CSV", "Was bleibt, als CSV"}
	textStaysThen          = text{"What it is, who changed it last, and why it is left to them. Where it should not stay, change it by hand.", "Was es ist, wer es zuletzt änderte und warum es dabei bleibt. Was nicht bleiben soll, ändern Sie von Hand."}
	textBackEdited         = text{"Users put back", "Zurückgesetzte Benutzer"}
	textBackRestored       = text{"Users restored", "Wiederhergestellte Benutzer"}
	textBackDeleted        = text{"Users deleted", "Gelöschte Benutzer"}
	textBackGroupsEdited   = text{"Groups put back", "Zurückgesetzte Gruppen"}
	textBackGroupsRestored = text{"Groups restored", "Wiederhergestellte Gruppen"}
	textBackGroupsDeleted  = text{"Groups deleted", "Gelöschte Gruppen"}
	textBackMembersAdded   = text{"Members put back", "Zurückgekehrte Mitglieder"}
	textBackMembersRemoved = text{"Members taken out", "Herausgenommene Mitglieder"}
	textBackKept           = text{"Stay as they are, or a part of each", "Bleiben, ganz oder zum Teil"}
	textBackUnchanged      = text{"As before already", "Schon wie zuvor"}
	countTakeBack          = number{text{"Take %s change back", "%s Änderung zurücknehmen"}, text{"Take %s changes back", "%s Änderungen zurücknehmen"}}
)

// How a source is set up at its identity provider. Quoted names are those of the
// provider's pages.
var (
	textSetUpAt    = text{"Set it up at the provider:", "Beim Anbieter einrichten:"}
	textPasteThese = text{"Enter these values there:", "Diese Werte dort eintragen:"}
	textFieldThere = text{"Field there", "Feld dort"}
	textValueHere  = text{"Value", "Wert"}
	setUpBearer    = text{"Enter the token alone. Only where the whole header Authorization is asked for, write Bearer and a blank before it.", "Nur das Token eintragen. Nur wo der ganze Header Authorization verlangt wird, Bearer und ein Leerzeichen davorschreiben."}
	setUpOktaOpen  = []text{
		text{"In the admin console of Okta open “Applications”, press “Create App Integration” and choose SAML 2.0 or SWA.", "In der Admin-Konsole von Okta „Applications“ öffnen, „Create App Integration“ wählen, dann SAML 2.0 oder SWA."},
		text{"On the tab “General” set “Provisioning” to SCIM and save. The tab “Provisioning” appears: open “Integration” there.", "Auf dem Reiter „General“ „Provisioning“ auf SCIM stellen und speichern. Der Reiter „Provisioning“ erscheint: dort „Integration“ öffnen."}}
	setUpOktaThen = []text{
		setUpBearer,
		text{"Tick “Push New Users”, “Push Profile Updates” and “Push Groups”, press “Test Connector Configuration”, and save.", "„Push New Users“, „Push Profile Updates“ und „Push Groups“ ankreuzen, „Test Connector Configuration“ drücken und speichern."},
		text{"Under “Provisioning”, “To App”, enable “Create Users”, “Update User Attributes” and “Deactivate Users”.", "Unter „Provisioning“, „To App“, „Create Users“, „Update User Attributes“ und „Deactivate Users“ einschalten."},
		text{"Assign people under “Assignments”, and groups under “Push Groups”.", "Personen unter „Assignments“ zuweisen, Gruppen unter „Push Groups“."}}
	setUpEntraOpen = []text{
		text{"In the Entra admin center open “Enterprise applications”, “New application”, “Create your own application”, and choose the one that is not in the gallery.", "Im Entra Admin Center „Enterprise applications“, „New application“, „Create your own application“ öffnen und die Anwendung wählen, die nicht im Katalog ist."},
		text{"Open “Provisioning” and set the mode to “Automatic”; where there is no mode, press “New configuration”.", "„Provisioning“ öffnen und den Modus auf „Automatic“ stellen; wo es keinen Modus gibt, „New configuration“ drücken."}}
	setUpEntraThen = []text{
		text{"Press “Test Connection”, and save.", "„Test Connection“ drücken und speichern."},
		text{"Under “Mappings”, users, map objectId to externalId. Entra's default there is mailNickname, which a namesake may get when somebody has left: whoever is made with the externalId of somebody who has left is taken for that person coming back.", "Unter „Mappings“, Benutzer, objectId auf externalId abbilden. Entras Vorgabe ist dort mailNickname, den ein Namensvetter bekommen kann, wenn jemand gegangen ist: Wer mit der externalId von jemandem angelegt wird, der gegangen ist, gilt als diese zurückgekehrte Person."},
		text{"Leave users matched by userName. Delete the mappings that you do not want to be sent.", "Benutzer weiter über userName abgleichen. Zuordnungen löschen, die nicht gesendet werden sollen."},
		text{"Under “Settings” leave the scope at assigned users and groups only, and set a threshold for accidental deletions.", "Unter „Settings“ den Umfang bei den zugewiesenen Benutzern und Gruppen lassen und eine Schwelle gegen versehentliches Löschen setzen."},
		text{"Assign people and groups, and set the provisioning status to “On”. Entra sends in cycles; “Provision on demand” sends one person at once.", "Personen und Gruppen zuweisen und den Bereitstellungsstatus auf „On“ stellen. Entra sendet in Zyklen; „Provision on demand“ sendet eine Person sofort."}}
	setUpOneLoginOpen = []text{
		text{"Under “Applications”, “Add App”, look for “SCIM Provisioner with SAML (SCIM v2 Enterprise)”, add it, and open “Configuration”.", "Unter „Applications“, „Add App“, „SCIM Provisioner with SAML (SCIM v2 Enterprise)“ suchen, hinzufügen und „Configuration“ öffnen."}}
	setUpOneLoginThen = []text{
		text{"Press “Enable” at the API connection, and save.", "Bei der API-Verbindung „Enable“ drücken und speichern."},
		text{"Under “Parameters” set scimusername to the e-mail address.", "Unter „Parameters“ scimusername auf die E-Mail-Adresse setzen."},
		text{"Under “Provisioning” enable it, and choose what a deletion there does: suspend and delete are both understood.", "Unter „Provisioning“ einschalten und wählen, was ein Löschen dort bewirkt: Sperren und Löschen werden beide verstanden."}}
	setUpJumpCloudOpen = []text{
		text{"Under “SSO Applications” open your application, or add a custom one, and open its tab “Identity Management”.", "Unter „SSO Applications“ Ihre Anwendung öffnen oder eine eigene hinzufügen, dann deren Reiter „Identity Management“."}}
	setUpJumpCloudThen = []text{
		text{"As the test user's e-mail name an address that nobody here has: the test makes a user of it.", "Als E-Mail des Testbenutzers eine Adresse nennen, die hier niemand hat: Der Test legt einen Benutzer damit an."},
		text{"Switch “Group Management” on, press “Test Connection”, then “Activate”.", "„Group Management“ einschalten, „Test Connection“ drücken, dann „Activate“."},
		text{"Give the user groups of those who are to be pushed access to the application.", "Den Benutzergruppen, deren Mitglieder übertragen werden sollen, Zugriff auf die Anwendung geben."}}
	setUpRipplingOpen = []text{
		text{"Under “IT”, “Third-Party Access”, add a custom application, and choose “User Management via SCIM”.", "Unter „IT“, „Third-Party Access“, eine eigene Anwendung hinzufügen und „User Management via SCIM“ wählen."}}
	setUpRipplingThen = []text{
		setUpBearer,
		text{"Switch on groups, pagination, and PATCH for groups.", "Gruppen, Seitenweise-Abruf (pagination) und PATCH für Gruppen einschalten."},
		text{"Choose the attributes: externalId, emails.primary, name, employeeNumber, and what else you want.", "Die Attribute wählen: externalId, emails.primary, name, employeeNumber und was Sie sonst möchten."}}
	setUpAuthentikOpen = []text{
		text{"In the admin interface open “Applications”, “Providers”, press “Create”, and choose the SCIM provider.", "In der Admin-Oberfläche „Applications“, „Providers“ öffnen, „Create“ drücken und den SCIM-Anbieter wählen."}}
	setUpAuthentikThen = []text{
		text{"Open the application whose people are to be pushed, add the provider under “Backchannel Providers”, and save.", "Die Anwendung öffnen, deren Personen übertragen werden sollen, den Anbieter unter „Backchannel Providers“ hinzufügen und speichern."},
		text{"Choose the group to filter users by, or everybody is pushed.", "Die Gruppe wählen, nach der Benutzer gefiltert werden; sonst werden alle übertragen."}}
	setUpPingOpen = []text{
		text{"In PingOne open the provisioning of “Integrations” and add a connection to an identity store of the kind SCIM outbound; in PingFederate, an SP connection with outbound provisioning by SCIM 2.0.", "In PingOne bei „Integrations“ die Bereitstellung öffnen und eine Verbindung zu einem Identitätsspeicher der Art „SCIM Outbound“ hinzufügen; in PingFederate eine SP-Verbindung mit „Outbound Provisioning“ über SCIM 2.0."}}
	setUpPingThen = []text{
		text{"Test the connection, and save it.", "Die Verbindung testen und speichern."},
		text{"Add a rule that says whom it is for, and switch both on.", "Eine Regel hinzufügen, die sagt, für wen sie gilt, und beides einschalten."}}
	setUpOtherOpen = []text{
		text{"Look in your identity provider for provisioning by SCIM 2.0 to an application of your own.", "Suchen Sie bei Ihrem Identitätsanbieter die Bereitstellung per SCIM 2.0 für eine eigene Anwendung."}}
	setUpOtherThen = []text{
		setUpBearer,
		text{"Have it create, update and deactivate users, and push groups if it can. Each user needs an e-mail address, or a user name that is one.", "Benutzer anlegen, ändern und deaktivieren lassen, und Gruppen übertragen, wenn er das kann. Jeder Benutzer braucht eine E-Mail-Adresse oder einen Benutzernamen, der eine ist."},
		text{"As externalId have it send an ID that nobody else ever gets: somebody who has left is known by it when they come back.", "Als externalId eine Kennung senden lassen, die nie jemand anderes bekommt: An ihr wird erkannt, wer gegangen ist und zurückkehrt."},
		text{"Test the connection there.", "Testen Sie dort die Verbindung."}}
)

// Exports.
var (
	textInParts      = text{"%s in parts", "%s in Teilen"}
	textInPartsMeans = text{"One file does not take all of it. It comes in parts, of which each begins where the one before ends: together they are everything.", "Eine Datei fasst nicht alles. Es kommt in Teilen, von denen jeder beginnt, wo der vorige endet: Zusammen sind sie alles."}
	textPart         = text{"Part %s", "Teil %s"}
	textKeepPart     = text{"Download part %s", "Teil %s herunterladen"}
	textMoreParts    = text{"There is more than this part has.", "Es gibt mehr, als dieser Teil hat."}
	textNextPart     = text{"Go on to the next part", "Weiter zum nächsten Teil"}
	textLastPart     = text{"This is the last part.", "Das ist der letzte Teil."}
	textPartChanged  = text{"The list has changed since the page of this part was made. Its file would have a gap to the next part, or some of it twice, so there is none. Try again: the part is counted anew.", "Die Liste hat sich geändert, seit die Seite dieses Teils gemacht wurde. Seine Datei hätte eine Lücke zum nächsten Teil oder etwas doppelt; darum gibt es keine. Versuchen Sie es noch einmal: Der Teil wird neu gezählt."}
	countRows        = number{text{"%s row, %s KB", "%s Zeile, %s KB"}, text{"%s rows, %s KB", "%s Zeilen, %s KB"}}
)

// What was done.
var (
	textActivity   = text{"Activity", "Verlauf"}
	textJSONLines  = text{"JSON lines", "JSON-Zeilen"}
	textFrom       = text{"From (UTC)", "Von (UTC)"}
	textTo         = text{"Until (UTC)", "Bis (UTC)"}
	textByDay      = text{"By day", "Nach Tagen"}
	textDay        = text{"Day", "Tag"}
	textAsTable    = text{"As a table", "Als Tabelle"}
	textProof      = text{"Proof", "Nachweis"}
	textProofMeans = text{"Verifying reads every record and link of the chain: that nothing was changed, inserted or left out since it was written.", "Die Prüfung liest jeden Eintrag und jedes Glied der Kette: dass seit dem Schreiben nichts geändert, eingefügt oder weggelassen wurde."}
	textVerify     = text{"Verify the chain", "Kette prüfen"}
)

// attributeWord is what people call an attribute of a user.
func attributeWord(path string) (text, bool) {
	switch path {
	case "userName":
		return text{"User name", "Benutzername"}, true
	case "email":
		return textEmail, true
	case "alternateEmail":
		return text{"Other e-mail", "Weitere E-Mail"}, true
	case "givenName":
		return text{"Given name", "Vorname"}, true
	case "familyName":
		return text{"Family name", "Nachname"}, true
	case "displayName":
		return text{"Display name", "Anzeigename"}, true
	case "phones.work":
		return text{"Phone at work", "Telefon, Arbeit"}, true
	case "phones.mobile":
		return text{"Mobile phone", "Mobiltelefon"}, true
	case "workAddress.streetAddress":
		return text{"Street", "Straße"}, true
	case "workAddress.city":
		return text{"City", "Ort"}, true
	case "workAddress.state":
		return text{"State or province", "Bundesland oder Provinz"}, true
	case "workAddress.postalCode":
		return text{"Postal code", "Postleitzahl"}, true
	case "workAddress.country":
		return text{"Country", "Land"}, true
	case "department":
		return textDepartment, true
	case "jobTitle":
		return text{"Job title", "Position"}, true
	case "location":
		return text{"Office", "Büro"}, true
	case "company":
		return text{"Company", "Firma"}, true
	case "employeeId":
		return text{"Employee ID", "Personalnummer"}, true
	case "employeeType":
		return text{"Employee type", "Art der Anstellung"}, true
	case "costCenter":
		return text{"Cost centre", "Kostenstelle"}, true
	case "managerId":
		return text{"Manager", "Vorgesetzte"}, true
	case "usageLocation":
		return text{"Usage location", "Nutzungsstandort"}, true
	case "preferredLanguage":
		return text{"Preferred language", "Bevorzugte Sprache"}, true
	case "externalId":
		return text{"External ID", "Externe ID"}, true
	}
	return text{}, false
}

// kindWord is what was done, in words; of what only a newer version does, false.
func kindWord(k directory.AuditKind) (text, bool) {
	switch k {
	case directory.AuditCreateConnection:
		return text{"connection made", "Verbindung angelegt"}, true
	case directory.AuditEditConnection:
		return text{"settings edited", "Einstellungen geändert"}, true
	case directory.AuditAuthorizeConnection:
		return text{"authorisation asked for", "Autorisierung veranlasst"}, true
	case directory.AuditConfirmConnection:
		return text{"tenant confirmed", "Mandant bestätigt"}, true
	case directory.AuditClaimDomains:
		return text{"domains claimed", "Domänen beansprucht"}, true
	case directory.AuditReleaseDomain:
		return text{"domain given up", "Domäne aufgegeben"}, true
	case directory.AuditDeactivateConnection:
		return text{"connection deactivated", "Verbindung beendet"}, true
	case directory.AuditDeleteConnection:
		return text{"connection removed", "Verbindung entfernt"}, true
	case directory.AuditApproveProposal:
		return text{"proposal approved", "Vorschlag genehmigt"}, true
	case directory.AuditDeclineProposal:
		return text{"proposal declined", "Vorschlag abgelehnt"}, true
	case directory.AuditLiftProtection:
		return text{"protection lifted", "Schutz aufgehoben"}, true
	case directory.AuditEndLift:
		return text{"protected again", "wieder geschützt"}, true
	case directory.AuditCreateUser:
		return text{"user made", "Benutzer angelegt"}, true
	case directory.AuditEditUser:
		return text{"user edited", "Benutzer geändert"}, true
	case directory.AuditDeleteUser:
		return text{"user deleted", "Benutzer gelöscht"}, true
	case directory.AuditSuspendUser:
		return text{"user suspended", "Benutzer deaktiviert"}, true
	case directory.AuditActivateUser:
		return text{"user activated", "Benutzer aktiviert"}, true
	case directory.AuditRestoreUser:
		return text{"user restored", "Benutzer wiederhergestellt"}, true
	case directory.AuditMoveUser:
		return text{"user moved", "Benutzer umgezogen"}, true
	case directory.AuditShowPassword:
		return text{"password shown", "Passwort gezeigt"}, true
	case directory.AuditLoadUsers:
		return text{"load of users begun", "Laden von Benutzern begonnen"}, true
	case directory.AuditCreateUpload:
		return text{"upload asked for", "Hochladen veranlasst"}, true
	case directory.AuditCreateGroup:
		return text{"group made", "Gruppe angelegt"}, true
	case directory.AuditEditGroup:
		return text{"group edited", "Gruppe geändert"}, true
	case directory.AuditDeleteGroup:
		return text{"group deleted", "Gruppe gelöscht"}, true
	case directory.AuditCreateScimClient:
		return text{"SCIM source set up", "SCIM-Quelle eingerichtet"}, true
	case directory.AuditEditScimClient:
		return text{"SCIM source edited", "SCIM-Quelle geändert"}, true
	case directory.AuditDeleteScimClient:
		return text{"SCIM source deleted", "SCIM-Quelle gelöscht"}, true
	case directory.AuditCreateScimToken:
		return text{"token of a SCIM source made", "Token einer SCIM-Quelle erstellt"}, true
	case directory.AuditRevokeScimToken:
		return text{"token of a SCIM source revoked", "Token einer SCIM-Quelle widerrufen"}, true
	case directory.AuditTakeBack:
		return text{"taking back of a SCIM source's changes asked for", "Rücknahme der Änderungen einer SCIM-Quelle veranlasst"}, true
	case directory.AuditEndTakeBack:
		return text{"taking back of a SCIM source's changes ended", "Rücknahme der Änderungen einer SCIM-Quelle beendet"}, true
	case directory.AuditRestoreGroup:
		return text{"group restored", "Gruppe wiederhergestellt"}, true
	case directory.AuditAddMembers:
		return text{"members added", "Mitglieder hinzugefügt"}, true
	case directory.AuditRemoveMembers:
		return text{"members taken out", "Mitglieder herausgenommen"}, true
	case directory.AuditLoadGroups:
		return text{"load of groups begun", "Laden von Gruppen begonnen"}, true
	case directory.AuditStartImport:
		return text{"import begun", "Import begonnen"}, true
	case directory.AuditBind:
		return text{"user bound", "Benutzer gebunden"}, true
	case directory.AuditRelease:
		return text{"user released", "Bindung gelöst"}, true
	case directory.AuditUseGroup:
		return text{"use of a group said", "Nutzung einer Gruppe festgelegt"}, true
	case directory.AuditEndGroupUse:
		return text{"use of a group ended", "Nutzung einer Gruppe beendet"}, true
	case directory.AuditLicenseUser:
		return text{"licences of a user said", "Lizenzen eines Benutzers festgelegt"}, true
	case directory.AuditPauseBinding:
		return text{"paused", "pausiert"}, true
	case directory.AuditResumeBinding:
		return text{"resumed", "fortgesetzt"}, true
	case directory.AuditAdoptAccount:
		return text{"account chosen", "Konto bestimmt"}, true
	case directory.AuditRetryBinding:
		return text{"tried again", "erneut versucht"}, true
	case directory.AuditRetryProblem:
		return text{"problem tried again", "Problem erneut versucht"}, true
	case directory.AuditStartRun:
		return text{"run asked for", "Lauf veranlasst"}, true
	case directory.AuditCancelRun:
		return text{"run stopped", "Lauf abgebrochen"}, true
	case directory.AuditApproveRun:
		return text{"run approved", "Lauf genehmigt"}, true
	case directory.AuditDeclineRun:
		return text{"run declined", "Lauf abgelehnt"}, true
	case directory.AuditUndoRun:
		return text{"taking back asked for", "Rücknahme veranlasst"}, true
	case directory.AuditVerifyActivity:
		return text{"verification asked for", "Prüfung veranlasst"}, true
	case directory.AuditCountLicences:
		return text{"count of licences asked for", "Zählung von Lizenzen veranlasst"}, true
	case directory.AuditCheckHealth:
		return text{"check of health asked for", "Untersuchung veranlasst"}, true
	case directory.AuditSignIn:
		return text{"signed in at Microsoft", "bei Microsoft angemeldet"}, true
	case directory.AuditRefuseSignIn:
		return text{"sign-in refused", "Anmeldung abgewiesen"}, true
	case directory.AuditExpireAuthorization:
		return text{"unconfirmed sign-in deleted", "unbestätigte Anmeldung gelöscht"}, true
	case directory.AuditLoseAuthorization:
		return text{"authorisation lost", "Autorisierung verloren"}, true
	case directory.AuditImport:
		return text{"user imported", "Benutzer importiert"}, true
	case directory.AuditLoad:
		return text{"loaded", "geladen"}, true
	case directory.AuditEndImport:
		return text{"import ended", "Import beendet"}, true
	case directory.AuditEndBind:
		return text{"bulk binding ended", "Massenbindung beendet"}, true
	case directory.AuditEndLoad:
		return text{"load ended", "Laden beendet"}, true
	case directory.AuditEndCheck:
		return text{"check ended", "Prüfung beendet"}, true
	case directory.AuditEndPhotos:
		return text{"pictures read", "Bilder gelesen"}, true
	case directory.AuditEndVerify:
		return text{"verification ended", "Prüfung des Verlaufs beendet"}, true
	case directory.AuditEndRenew:
		return text{"addresses renewed", "Adressen erneuert"}, true
	case directory.AuditEndCount:
		return text{"count ended", "Zählung beendet"}, true
	}
	return text{}, false
}
