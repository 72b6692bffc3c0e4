native
