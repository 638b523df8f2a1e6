// A table of descriptors for one thread. The limit of open files (RLIMIT_NOFILE) is of a table, so
// a process with several holds that many times as many connections.
#pragma once

namespace cw::net {

// The calling thread gets a copy of the table that it shared with its process, and shares it with
// nobody: what it opens from now on has a meaning in this thread alone and is closed when the
// thread ends; what others open from now on does not exist for it. A socket that is in several
// tables ends with shutdown(), or when the last of them closes it. Locks by fcntl() belong to a
// table, so an SQLite database must be used by threads of one table only. False: the system
// refuses.
bool take_own_table();

// Whether the system allows it; asked by a thread that ends at once.
bool may_take_own_table();

} // namespace cw::net
