# A client of SCIM that others wrote creates, finds, patches, replaces, pages and deletes.
# TestScimTools runs it, with the address and the token in the environment.
import os

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import SearchRequest, PatchOp, PatchOperation

http = Client(base_url=os.environ["SCIM_BASE"], headers={"Authorization": "Bearer " + os.environ["SCIM_TOKEN"]})
scim = SyncSCIMClient(http)
scim.discover()
User = scim.get_resource_model("User")
Group = scim.get_resource_model("Group")
made = [scim.create(User(user_name=f"client{i}@py.example", emails=[User.Emails(value=f"client{i}@py.example", type="work", primary=True)])) for i in range(5)]
one = made[0]
found = scim.query(User, query_parameters=SearchRequest(filter='userName eq "CLIENT0@py.example"'))
assert found.total_results == 1 and found.resources[0].id == one.id, found
patch = PatchOp[User](operations=[PatchOperation(op=PatchOperation.Op.replace_, path="title", value="CTO")])
one = scim.modify(User, one.id, patch)
assert one.title == "CTO", one
one.nick_name = "One"
one = scim.replace(one)
assert one.nick_name == "One" and one.title == "CTO", one
seen, start = set(), 1
while True:
    page = scim.query(User, query_parameters=SearchRequest(start_index=start, count=2))
    if not page.resources:
        break
    seen |= {u.id for u in page.resources}
    start += len(page.resources)
assert {u.id for u in made} <= seen, seen
group = scim.create(Group(display_name="Py", members=[Group.Members(value=made[1].id, type="User")]))
assert [m.value for m in scim.query(Group, group.id).members] == [made[1].id]
scim.delete(Group, group.id)
for u in made:
    scim.delete(User, u.id)
assert scim.query(User, query_parameters=SearchRequest(filter='userName eq "client0@py.example"')).total_results == 0
print("scim2-client: created, found, patched, replaced, paged, deleted")
