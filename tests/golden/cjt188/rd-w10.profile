rd-w10
