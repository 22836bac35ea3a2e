LAYOUT(rest_block, &rest.block)
LAYOUT(rest_size, &rest.size)
LAYOUT(list, &list)
