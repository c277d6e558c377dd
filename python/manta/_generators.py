"""What tasks that are generators give: not there yet."""

from manta import _not_yet

ObjectRefGenerator = _not_yet.kind("ObjectRefGenerator", "return a list, or put values into a ray.util.queue.Queue", module="ray")
DynamicObjectRefGenerator = _not_yet.kind("DynamicObjectRefGenerator", "return a list of references", module="ray")
