from . import buckets as buckets
from . import files as files
from . import keys as keys
from . import users as users
from .buckets import Bucket as Bucket
from .buckets import Buckets as Buckets
from .files import Files as Files
from .keys import Keys as Keys
from .users import Users as Users

__all__ = ["Bucket", "Buckets", "Files", "Keys", "Users", "buckets", "files", "keys", "users"]
