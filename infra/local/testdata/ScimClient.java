// A client of SCIM that others wrote, UnboundID's (Ping), creates, finds, patches, replaces,
// pages and deletes users and groups, with versions, and reads errors for what they are.
// TestScimJava runs it, with the address and the token in the environment.
import com.unboundid.scim2.client.ScimService;
import com.unboundid.scim2.common.exceptions.*;
import com.unboundid.scim2.common.filters.Filter;
import com.unboundid.scim2.common.messages.ListResponse;
import com.unboundid.scim2.common.messages.PatchOperation;
import com.unboundid.scim2.common.types.*;
import jakarta.ws.rs.client.Client;
import jakarta.ws.rs.client.ClientBuilder;
import jakarta.ws.rs.client.ClientRequestFilter;
import java.net.URI;
import java.util.*;
import org.glassfish.jersey.client.ClientConfig;
import org.glassfish.jersey.jnh.connector.JavaNetHttpConnectorProvider;

public class ScimClient {
    interface Call {
        void run() throws Exception;
    }

    static ScimService service(String token) {
        Client http = ClientBuilder.newClient(new ClientConfig().connectorProvider(new JavaNetHttpConnectorProvider()));
        http.register((ClientRequestFilter) r -> r.getHeaders().putSingle("Authorization", "Bearer " + token));
        return new ScimService(http.target(System.getenv("SCIM_BASE")));
    }

    static void want(boolean holds, String what, Object got) {
        if (!holds) {
            throw new AssertionError(what + ": " + got);
        }
    }

    static <E extends ScimException> void refused(Class<E> as, String scimType, String what, Call call) throws Exception {
        try {
            call.run();
        } catch (ScimException e) {
            want(as.isInstance(e), what + " is refused as another error", e + " " + e.getScimError());
            want(Objects.equals(scimType, e.getScimError().getScimType()), what + " is refused with another scimType", e.getScimError());
            want(e.getScimError().getDetail() != null && !e.getScimError().getDetail().isEmpty(), what + " is refused without a word", e.getScimError());
            return;
        }
        throw new AssertionError(what + " is not refused");
    }

    static UserResource user(String name) {
        UserResource u = new UserResource().setUserName(name).setName(new Name().setGivenName("Jo").setFamilyName("Doe"))
            .setEmails(List.of(new Email().setValue(name).setType("work").setPrimary(true)));
        u.setExternalId("java-" + name);
        return u;
    }

    public static void main(String[] args) throws Exception {
        boolean strict = Boolean.parseBoolean(System.getenv("SCIM_STRICT"));
        ScimService scim = service(System.getenv("SCIM_TOKEN"));

        want(scim.getServiceProviderConfig().getPatch().isSupported(), "PATCH is offered", scim.getServiceProviderConfig());
        want(scim.getResourceTypes().getTotalResults() == 2, "two types of resources", scim.getResourceTypes());
        want(scim.getSchemas().getTotalResults() >= 4, "schemas", scim.getSchemas().getTotalResults());
        want(scim.getSchema("urn:ietf:params:scim:schemas:core:2.0:Group").getName().equals("Group"), "the schema of groups", "");

        List<UserResource> made = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            made.add(scim.create("Users", user("java" + i + "@java.example")));
        }
        UserResource one = made.get(0);
        want(one.getId() != null && one.getMeta().getVersion() != null && one.getMeta().getLocation() != null, "what the server gives", one);

        for (Filter f : List.of(Filter.eq("userName", "JAVA0@java.example"), Filter.eq("externalId", "java-java0@java.example"),
                Filter.eq("emails.value", "java0@java.example"), Filter.and(Filter.eq("userName", "java0@java.example"), Filter.sw("name.familyName", "D")))) {
            ListResponse<UserResource> found = scim.search("Users", f.toString(), UserResource.class);
            want(found.getTotalResults() == 1 && found.getResources().get(0).getId().equals(one.getId()), "found by " + f, found);
        }
        want(scim.search("Users", Filter.eq("userName", "nobody@java.example").toString(), UserResource.class).getTotalResults() == 0, "nobody is found", "");
        want(scim.searchRequest("Users").filter(Filter.eq("userName", "java1@java.example")).attributes("userName").invokePost(UserResource.class)
            .getResources().get(0).getEmails() == null, "a search by POST with attributes", "");

        Set<String> seen = new HashSet<>();
        for (int start = 1;; ) {
            ListResponse<UserResource> page = scim.searchRequest("Users").page(start, 3).invoke(UserResource.class);
            want(page.getItemsPerPage() <= 3, "pages by number", page.getItemsPerPage());
            page.getResources().forEach(u -> want(seen.add(u.getId()), "listed once", u.getId()));
            start += page.getResources().size();
            if (page.getResources().isEmpty() || start > page.getTotalResults()) {
                break;
            }
        }
        made.forEach(u -> want(seen.contains(u.getId()), "listed", u.getUserName()));
        Set<String> bySearch = new HashSet<>();
        ListResponse<UserResource> page = scim.searchRequest("Users").firstPageCursorWithCount(2).invoke(UserResource.class);
        for (;; page = scim.searchRequest("Users").pageWithCursor(page.getNextCursor(), 2).invoke(UserResource.class)) {
            page.getResources().forEach(u -> want(bySearch.add(u.getId()), "listed once", u.getId()));
            if (page.getNextCursor() == null) {
                break;
            }
        }
        want(bySearch.equals(seen), "pages by cursor list the same", bySearch.size() + " of " + seen.size());

        String before = one.getMeta().getVersion();
        one = scim.modifyRequest(one).ifMatch().replaceValue("title", "CTO").addValues("phoneNumbers", new PhoneNumber().setType("work").setValue("+49 30 1"))
            .replaceValue("name.familyName", "Moved").invoke();
        want("CTO".equals(one.getTitle()) && one.getName().getFamilyName().equals("Moved") && one.getPhoneNumbers().size() == 1, "patched", one);
        want(!before.equals(one.getMeta().getVersion()), "another version", one.getMeta().getVersion());
        UserResource stale = made.get(0);
        refused(PreconditionFailedException.class, null, "a PATCH of an older version", () -> scim.modifyRequest(stale).ifMatch().replaceValue("title", "x").invoke());
        refused(PreconditionFailedException.class, null, "a PUT of an older version", () -> scim.replaceRequest(stale).ifMatch().invoke());
        refused(PreconditionFailedException.class, null, "a DELETE of an older version", () -> scim.deleteRequest(stale).ifMatch(before).invoke());
        UserResource fresh = one;
        try {
            scim.retrieveRequest(fresh).ifNoneMatch().invoke();
            throw new AssertionError("an unchanged user is sent again");
        } catch (NotModifiedException e) {
            // as it must be
        }
        one = scim.modifyRequest(one).removeValues("phoneNumbers[type eq \"work\"]").replaceValue("active", false).invoke();
        want(one.getPhoneNumbers() == null && !one.getActive(), "suspended", one);
        one.setNickName("One").setActive(true);
        one = scim.replaceRequest(one).ifMatch().invoke();
        want("One".equals(one.getNickName()) && "CTO".equals(one.getTitle()) && one.getActive(), "replaced", one);
        want(scim.retrieve(one).equals(one), "read as it was answered", scim.retrieve(one));

        refused(ResourceConflictException.class, "uniqueness", "the same name again", () -> scim.create("Users", user("java1@java.example")));
        refused(ResourceNotFoundException.class, null, "nobody's id", () -> scim.retrieve("Users", "nobody", UserResource.class));
        refused(BadRequestException.class, "invalidFilter", "a filter of what is not there", () -> scim.search("Users", "no.such eq \"1\"", UserResource.class));
        refused(BadRequestException.class, "invalidValue", "a user without a name", () -> scim.create("Users", new UserResource()));
        refused(UnauthorizedException.class, null, "a wrong token", () -> service("bsc_wrong").retrieve(fresh));
        if (strict) {
            refused(BadRequestException.class, "invalidPath", "a path to nowhere", () -> scim.modifyRequest(fresh).replaceValue("title.x", "1").invoke());
            refused(BadRequestException.class, "noTarget", "nothing at a filter", () -> scim.modifyRequest(fresh).replaceValue("phoneNumbers[type eq \"fax\"].value", "1").invoke());
            refused(BadRequestException.class, "mutability", "what is read-only", () -> scim.modifyRequest(fresh).replaceValue("meta.version", "1").invoke());
        } else {
            one = scim.modifyRequest(one).replaceValue("phoneNumbers[type eq \"fax\"].value", "1").invoke();
            want(one.getPhoneNumbers().get(0).getType().equals("fax"), "made where a filter held of nothing", one);
        }

        GroupResource group = new GroupResource().setDisplayName("Java").setMembers(new Member().setValue(made.get(0).getId()), new Member().setValue(made.get(1).getId()));
        group = scim.create("Groups", group);
        want(group.getMembers().size() == 2 && group.getMembers().get(0).getRef() != null, "members", group);
        want(scim.search("Groups", Filter.eq("displayName", "java").toString(), GroupResource.class).getTotalResults() == 1, "the group is found", "");
        group = scim.modifyRequest(group).ifMatch().addValues("members", new Member().setValue(made.get(2).getId()), new Member().setValue(made.get(3).getId()))
            .removeValues("members[value eq \"" + made.get(0).getId() + "\"]").replaceValue("displayName", "Java 2").invoke();
        Set<String> in = new HashSet<>();
        group.getMembers().forEach(m -> in.add(m.getValue()));
        want(group.getDisplayName().equals("Java 2") && in.equals(Set.of(made.get(1).getId(), made.get(2).getId(), made.get(3).getId())), "who is in", in);
        want(scim.searchRequest("Groups").excludedAttributes("members").filter(Filter.eq("members.value", made.get(2).getId())).invoke(GroupResource.class)
            .getResources().get(0).getMembers() == null, "groups without their members", "");
        group.setMembers(List.of(new Member().setValue(made.get(4).getId())));
        group = scim.replace(group);
        want(group.getMembers().size() == 1 && group.getMembers().get(0).getValue().equals(made.get(4).getId()), "replaced members", group);
        String id = made.get(4).getId();
        scim.delete("Users", id);
        refused(ResourceNotFoundException.class, null, "a deleted user", () -> scim.retrieve("Users", id, UserResource.class));
        want(scim.retrieve(group).getMembers() == null, "a deleted user is in no group", scim.retrieve(group));
        scim.deleteRequest(scim.retrieve(group)).ifMatch(scim.retrieve(group).getMeta().getVersion()).invoke();
        for (UserResource u : made) {
            if (!u.getId().equals(id)) {
                scim.delete(URI.create(u.getMeta().getLocation().toString()));
            }
        }
        want(scim.search("Users", Filter.eq("userName", "java1@java.example").toString(), UserResource.class).getTotalResults() == 0, "nobody is left", "");
        System.out.println("scim2-sdk-client: created, found, paged, patched, replaced, refused, deleted");
    }
}
