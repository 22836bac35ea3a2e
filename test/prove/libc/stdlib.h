/* c_interface.c includes this for the functions that it defines. */
