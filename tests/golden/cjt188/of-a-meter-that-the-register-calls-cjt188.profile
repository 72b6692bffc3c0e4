cjt188
