rd-w99
